"""The address of Kubeflow Pipelines, and the credentials."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Access:
    """How Kubeflow Pipelines is reached; None leaves the address and the credentials to its client, as in a pod."""

    host: str | None = None
    namespace: str | None = None  # of the user, where KFP has several
    token: str | None = None
    token_file: Path | None = None  # read again as it is renewed
    cookie: str | None = None
    ca_file: Path | None = None
