"""The settings of the acceptance: a cluster, a registry and a store, by `make acceptance NAME=VALUE …`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.home.storage.locations import BucketPath, parse_location

NEEDED = {
    "KUBECONFIG": "an administrator's access to the cluster",
    "KF_PIPELINES_ENDPOINT": "Kubeflow Pipelines, as this machine reaches it: https://HOST/PREFIX",
    "REGISTRY": "where images are pushed, and from where pods pull them: HOST/PREFIX",
    "STORE": "an empty place in a bucket: s3://BUCKET/PREFIX",
    "AWS_ACCESS_KEY_ID": "its key",
    "AWS_SECRET_ACCESS_KEY": "and its secret",
    "RANKLOOP_ONLINE_URL": "a Redis without a home in it, as pods reach it: redis://HOST:PORT/NUMBER?prefix=NAME",
}
FENCES = ("restricted", "quota", "secrets", "egress")
OVERLAY = Path(__file__).parents[2] / "manifests" / "overlays" / "local"


@dataclass(frozen=True)
class Settings:
    """Where everything is.

    Args:
        endpoint: of the store, as pods reach it; this machine may have another in AWS_ENDPOINT_URL.
        images: a file of images that are in the registry already; None: build and push them.
        shop: a shop file, whose sources are uploaded; None: those of a small made-up shop.
        without: fences that this cluster is known not to have.
    """

    host: str
    registry: str
    store: BucketPath
    endpoint: str
    online: str = field(repr=False)  # with its password
    namespace: str
    overlay: Path
    images: Path | None
    shop: Path | None
    without: frozenset[str]


def read_settings() -> Settings:
    """Read them from the environment; end with what is missing."""
    missing = [f"  {name}=…  {meaning}" for name, meaning in NEEDED.items() if not os.environ.get(name)]
    if missing:
        pytest.exit("\n".join(["make acceptance also needs", *missing, "see docs/kubernetes.md"]), returncode=2)
    without = frozenset(filter(None, os.environ.get("WITHOUT_FENCES", "").split(",")))
    if without - set(FENCES):
        pytest.exit(f"WITHOUT_FENCES: found {', '.join(without)}, expected some of {', '.join(FENCES)}", returncode=2)
    store = parse_location(os.environ["STORE"])
    assert isinstance(store, BucketPath), f"STORE: found {store}, expected s3://BUCKET/PREFIX"
    return Settings(
        os.environ["KF_PIPELINES_ENDPOINT"],
        os.environ["REGISTRY"],
        store,
        os.environ.get("AWS_ENDPOINT_URL_IN_PODS") or os.environ.get("AWS_ENDPOINT_URL", ""),
        os.environ["RANKLOOP_ONLINE_URL"],
        os.environ.get("NAMESPACE") or "rankloop",
        Path(os.environ.get("OVERLAY") or OVERLAY).resolve(),
        _file("IMAGES"),
        _file("SHOP"),
        without,
    )


def _file(variable: str) -> Path | None:
    name = os.environ.get(variable)
    return Path(name).resolve() if name else None
