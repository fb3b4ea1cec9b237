"""Feast's store over a home; importing this module imports Feast."""

from pathlib import Path

from feast import RepoConfig
from feast.repo_config import RegistryConfig

from components.home.layout import Home
from components.home.storage.locations import Location
from feature_repo.project import OFFLINE_STORE, PROJECT, STORE_TYPE


def store_config(home: Home, registry: Location, revision: str) -> RepoConfig:
    """Return Feast's settings for a home, as ``feature_store.yaml`` writes them for the shell."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=RegistryConfig(path=str(registry), registry_store_type=STORE_TYPE),
        offline_store={"type": OFFLINE_STORE},
        online_store={
            "type": "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore",
            "url": home.online_url,
            "revision": revision,
        },
        entity_key_serialization_version=3,
        repo_path=Path.cwd(),
    )
