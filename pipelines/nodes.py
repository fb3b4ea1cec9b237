"""Which nodes of a cluster the steps may run on: the table ``nodes`` of the images file, if it has one.

A pipeline version cannot be changed once Kubeflow has it, so its nodes are compiled into it as its images are.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.contracts.errors import ConfigurationError
from components.contracts.images import read_images_file
from components.contracts.json_documents import closed, parse_json

# As the API server checks them; a pod with another label or key would never be made.
NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
Key = Annotated[str, Field(pattern=rf"^([a-z0-9][-a-z0-9.]{{0,252}}/)?{NAME}$")]
Value = Annotated[str, Field(pattern=rf"^({NAME})?$")]


@closed
@dataclass(frozen=True)
class Toleration:
    """A taint of nodes that the steps tolerate, with the names of Kubernetes."""

    key: Key | None = None  # None: every one
    operator: Literal["Equal", "Exists"] = "Equal"
    value: Value | None = None
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] | None = None  # None: every one

    @model_validator(mode="after")
    def _has_a_value_only_if_it_compares(self) -> "Toleration":
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("no value, or the operator Equal")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("a key, or the operator Exists")
        return self


@closed
@dataclass(frozen=True)
class Nodes:
    """The labels that a node must have, and the taints that it may have."""

    selector: dict[Key, Value] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


def read_nodes(file: Path) -> Nodes:
    """Read which nodes an images file names.

    Raises:
        ConfigurationError: the file cannot be read, or Kubernetes would not take what it says.
    """
    table = read_images_file(file).get("nodes", {})
    try:
        return parse_json(Nodes, json.dumps(table, default=str))
    except ValueError as error:
        raise ConfigurationError(f"{file.name}: nodes: {error}") from error
