"""Feast's store over a home; importing this module imports Feast."""

from pathlib import Path

from feast import RepoConfig

from components.home.layout import Home
from feature_repo.project import PROJECT


def store_config(home: Home, registry: Path, revision: str) -> RepoConfig:
    """Return Feast's settings for a home, as ``feature_store.yaml`` writes them for the shell."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=str(registry),
        offline_store={"type": "duckdb"},
        online_store={
            "type": "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore",
            "url": home.online_url,
            "revision": revision,
        },
        entity_key_serialization_version=3,
        repo_path=home.feature_store,
    )
