"""The repository's objects for one feature set, and the store over them; importing this module imports Feast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, FileSource, RepoConfig

from components.contracts.home import Home
from components.features.schemas import view_schemas
from components.features.sets import FeatureSet
from feature_repo.entities import item_entity, user_entity
from feature_repo.feature_services import ranking_service
from feature_repo.feature_views import feature_view
from feature_repo.project import PROJECT
from feature_repo.sources import snapshot_source


@dataclass(frozen=True)
class Repository:
    """Entities, sources, views and the service of one feature set."""

    entities: tuple[Entity, ...]
    sources: tuple[FileSource, ...]
    views: tuple[FeatureView, ...]
    service: FeatureService

    @property
    def objects(self) -> list[Any]:
        """Everything that Feast registers."""
        return [*self.entities, *self.sources, *self.views, self.service]


def build_repo(chosen: FeatureSet, folder: Path | None = None) -> Repository:
    """Build the objects of a set; ``folder`` is where Feast reads it, by default the immutable folder itself."""
    entities = {"user_features": user_entity(), "item_features": item_entity()}
    schemas = view_schemas(chosen.shape)
    sources = {name: snapshot_source(folder or chosen.folder, name) for name in schemas}
    views = [
        feature_view(name, schema, entities[name], sources[name], chosen.ttl_days, chosen.revision)
        for name, schema in schemas.items()
    ]
    return Repository(
        tuple(entities.values()), tuple(sources.values()), tuple(views), ranking_service(views, chosen.revision)
    )


def store_config(home: Home, registry: Path, revision: str) -> RepoConfig:
    """Feast's settings for a home, as ``feature_store.yaml`` writes them for the shell."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=str(registry),
        offline_store={"type": "duckdb"},
        online_store={
            "type": "feature_repo.packed_online_store.online_store.PackedOnlineStore",
            "url": home.online_url,
            "revision": revision,
        },
        entity_key_serialization_version=3,
        repo_path=home.feature_store,
    )
