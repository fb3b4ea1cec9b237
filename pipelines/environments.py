"""What is wrong between environments of Git, or between them and the clusters, though each renders by itself.

A copied folder of an overlay or a cluster has lines of its own to change; a line that was forgotten is named here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from components.contracts.errors import ConfigurationError

RENDERED = "manifests/rendered"
PRODUCTION = "production"
NAMESPACE = "rankloop"
SMALL = re.compile(r"^kind: (Namespace|ConfigMap)$", re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """What an environment comes to: its namespace, and the variables of its ConfigMap ``rankloop``."""

    name: str
    namespace: str
    variables: Mapping[str, str]

    @property
    def expected_namespace(self) -> str:
        """Return the namespace that the ApplicationSet of a cluster says."""
        return NAMESPACE if self.name == PRODUCTION else f"{NAMESPACE}-{self.name}"


def environment_of(name: str, texts: list[str]) -> Environment:
    """Return an environment, by its rendered resources that are small enough to be looked at."""
    documents = [
        yaml.safe_load(text) for text in texts if "\nkind: Namespace\n" in text or "\nkind: ConfigMap\n" in text
    ]
    [namespace] = [one["metadata"]["name"] for one in documents if one["kind"] == "Namespace"]
    variables = {one["metadata"]["name"]: one.get("data", {}) for one in documents if one["kind"] == "ConfigMap"}
    return Environment(name, namespace, variables.get(NAMESPACE, {}))


def check_environments(environments: list[Environment], clusters: Mapping[str, dict[str, Any]]) -> None:
    """Check that each environment is itself alone, and that clusters share none.

    clusters: by the name of its folder, the ApplicationSet of each.

    Raises:
        ConfigurationError: the first line that is wrong.
    """
    for complaint in (*_confused(environments), *_misplaced(environments, clusters)):
        raise ConfigurationError(complaint)


def _confused(environments: list[Environment]) -> Iterator[str]:
    for one in environments:
        place = f"manifests/overlays/{one.name}"
        if one.namespace != one.expected_namespace:
            yield f"{place}: found namespace {one.namespace}, expected {one.expected_namespace}, as Argo CD expects"
        if (named := one.variables.get("RANKLOOP_ENVIRONMENT")) != one.name:
            yield f"{place}: found RANKLOOP_ENVIRONMENT={named}, expected {one.name}; say so in configMapGenerator"
        home = one.variables.get("RANKLOOP_HOME")
        same = [two.name for two in environments if two != one and two.variables.get("RANKLOOP_HOME") == home]
        if same:
            yield f"{place}: found RANKLOOP_HOME={home}, which is that of {same[0]} too; give each a prefix of its own"


def _misplaced(environments: list[Environment], clusters: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    names = [one.name for one in environments]
    runs: dict[str, list[str]] = {name: [] for name in names}
    for cluster, applications in clusters.items():
        directories = applications["spec"]["generators"][0]["git"]["directories"]
        excluded = [one["path"] for one in directories if one.get("exclude")]
        for pattern in (one["path"] for one in directories if not one.get("exclude")):
            matching = _matching(names, pattern, excluded)
            if not matching:
                yield (
                    f"manifests/clusters/{cluster}: found directory {pattern}, in which nothing is rendered, so Argo CD"
                    f" would deploy nothing; expected one of {', '.join(f'{RENDERED}/{name}' for name in names)}"
                )
            for name in matching:
                runs[name].append(cluster)
    for name, places in runs.items():
        if len(set(places)) > 1:
            yield (
                f"environment {name}: found it in the clusters {' and '.join(sorted(set(places)))}, expected one; leave"
                f" it out of the other: {{path: {RENDERED}/{name}, exclude: true}} in its `directories`"
            )


def _matching(names: list[str], pattern: str, excluded: list[str]) -> list[str]:
    """Return the environments whose folder a pattern of Argo CD's means; what is excluded is not, in any order."""
    folders = {name: f"{RENDERED}/{name}" for name in names}
    return [
        name
        for name, folder in folders.items()
        if fnmatchcase(folder, pattern) and not any(fnmatchcase(folder, one) for one in excluded)
    ]
