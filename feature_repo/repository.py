"""The repository's objects for one feature set, and the store over them; importing this module imports Feast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, FileSource, PushSource, RepoConfig

from components.features.snapshots.sets import FeatureSet
from components.features.views.schemas import view_schemas
from components.home.layout import Home
from feature_repo.entities import item_entity, user_entity
from feature_repo.feature_services import ranking_service
from feature_repo.feature_views import feature_view, session_feature_view
from feature_repo.project import PROJECT
from feature_repo.sources import session_source, snapshot_source


@dataclass(frozen=True)
class Repository:
    """Entities, sources, views and the service of one feature set; where sessions are known, they come last."""

    entities: tuple[Entity, ...]
    sources: tuple[FileSource | PushSource, ...]
    views: tuple[FeatureView, ...]
    service: FeatureService

    @property
    def objects(self) -> list[Any]:
        """Everything that Feast registers."""
        return [*self.entities, *self.sources, *self.views, self.service]


def build_repo(chosen: FeatureSet, folder: Path | None = None, sessions: Path | None = None) -> Repository:
    """Build the objects of a set.

    Args:
        folder: where Feast reads it, by default the immutable folder itself.
        sessions: the empty file that stands for sessions offline; without it sessions are left out.
    """
    entities = {"user_features": user_entity(), "item_features": item_entity()}
    schemas = view_schemas(chosen.shape)
    sources = {name: snapshot_source(folder or chosen.folder, name) for name in schemas}
    views = [
        feature_view(name, schema, entities[name], sources[name], chosen.ttl_days, chosen.revision)
        for name, schema in schemas.items()
    ]
    service = ranking_service(views, chosen.revision)
    pushed = [session_source(sessions)] if sessions else []
    views += [session_feature_view(entities["user_features"], source, chosen.revision) for source in pushed]
    return Repository(tuple(entities.values()), (*sources.values(), *pushed), tuple(views), service)


def store_config(home: Home, registry: Path, revision: str) -> RepoConfig:
    """Feast's settings for a home, as ``feature_store.yaml`` writes them for the shell."""
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
