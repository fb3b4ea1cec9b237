"""What the acceptance of GitOps needs beside the rest of it."""

import os
from dataclasses import dataclass, field, replace

import pytest

from components.home.layout import ONLINE_VARIABLE
from components.home.storage.locations import BucketPath
from tests.acceptance.settings import Settings, read_settings

ENVIRONMENT = "acceptance"
ADDRESS = "this machine's address as the cluster reaches it, where Git is served"


@dataclass(frozen=True)
class GitOpsSettings:
    """Where everything is.

    Args:
        settings: of the acceptance; namespace and store are those of this part.
        environment: what Git calls it; its namespace is ``rankloop-ENVIRONMENT``, the callers' that with ``-callers``.
        machine: see ADDRESS; None: ``git_url`` is set, and nothing is served here.
        git_url: an empty repository on a server of your own, over HTTPS, for everybody who has the token.
        prometheus: the one that scrapes the namespace, as Argo Rollouts reaches it; None: one is started here.
        kubeflow: Kubeflow Pipelines as pods reach it; None: at its usual place.
        online_here: the Redis as this machine reaches it.
        green_seconds: for how long Argo CD is watched under load.
    """

    settings: Settings
    environment: str
    machine: str | None
    git_url: str | None
    git_token: str | None = field(repr=False)
    prometheus: str | None
    kubeflow: str | None
    online_here: str = field(repr=False)
    green_seconds: float

    @property
    def namespace(self) -> str:
        """Return the environment's namespace."""
        return self.settings.namespace

    @property
    def callers(self) -> Settings:
        """Return the settings with the namespace of the callers."""
        return replace(self.settings, namespace=f"{self.namespace}-callers")

    @property
    def secrets(self) -> dict[str, str]:
        """Return what the Secret ``rankloop`` holds."""
        variables = {name: os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        return variables | {ONLINE_VARIABLE: self.settings.online}

    @property
    def name(self) -> str:
        """Return what Argo CD calls the project, the ApplicationSet and the Application."""
        return f"rankloop-{self.environment}"


def read_gitops_settings() -> GitOpsSettings:
    """Read them from the environment; end with what is missing."""
    settings = read_settings()
    environment = os.environ.get("GITOPS_ENVIRONMENT") or ENVIRONMENT
    machine, git_url, token = (os.environ.get(name) for name in ("MACHINE", "GIT_URL", "GIT_TOKEN"))
    if not machine and not (git_url and token):
        pytest.exit(
            f"make acceptance also needs\n  MACHINE=…  {ADDRESS}\n  or GIT_URL=… and GIT_TOKEN=…  an empty repository"
            "\nsee docs/kubernetes.md",
            returncode=2,
        )
    store = settings.store / "gitops"
    assert isinstance(store, BucketPath)
    return GitOpsSettings(
        settings=replace(settings, namespace=f"rankloop-{environment}", store=store),
        environment=environment,
        machine=machine,
        git_url=git_url,
        git_token=token,
        prometheus=os.environ.get("PROMETHEUS_URL"),
        kubeflow=os.environ.get("KF_PIPELINES_ENDPOINT_IN_PODS"),
        online_here=os.environ.get("RANKLOOP_ONLINE_URL_HERE") or settings.online,
        green_seconds=60 * float(os.environ.get("GREEN_MINUTES") or 2),
    )
