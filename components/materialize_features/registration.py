"""Feast's registry of a home: applied when its objects have changed; else not, for Feast takes seconds to load."""

import json
from pathlib import Path

from components.contracts.urls import public_url
from components.features.snapshots.sets import FeatureSet
from components.home.layout import Home
from feature_repo.feast_import import import_feast
from feature_repo.project import PROJECT
from feature_repo.sessions import EMPTY_SESSIONS

YAML = """\
# Written by materialize_features. Use: feast -f {home}/feature_store/feature_store.yaml materialize-incremental <time>
project: {project}
provider: local
registry: {registry}
offline_store:
  type: duckdb
online_store:
  type: feature_repo.packed_online_store.feast.online_store.PackedOnlineStore
  url: {online}
  revision: "{revision}"
entity_key_serialization_version: 3
"""


def register(home: Home, chosen: FeatureSet) -> bool:
    """Apply a set's objects to the home's registry, reading the current set; True if they had changed."""
    folder = home.feature_store
    note = folder / "applied.json"
    wanted = {"revision": chosen.revision, "ttl_days": chosen.ttl_days, "home": str(home.root.resolve())}
    wanted |= {"online": public_url(home.online_url), "sources": "manifests"}
    if (folder / "registry.db").exists() and note.exists() and json.loads(note.read_text()) == wanted:
        return False
    import_feast()
    from feast import FeatureStore

    from feature_repo.definitions import definitions_of, write_empty_sessions
    from feature_repo.repository import store_config

    folder.mkdir(parents=True, exist_ok=True)
    store = FeatureStore(config=store_config(home, folder / "registry.db", chosen.revision))
    sessions = folder.resolve() / EMPTY_SESSIONS
    write_empty_sessions(sessions)
    store.apply(definitions_of(chosen, current=True, sessions=sessions).objects)
    _write(folder / "feature_store.yaml", _settings(home, chosen))
    _write(note, json.dumps(wanted))
    return True


def _settings(home: Home, chosen: FeatureSet) -> str:
    root = home.root.resolve()
    places = (f"{root}/feature_store/registry.db", f"home://{root}")
    registry, online = (json.dumps(place, ensure_ascii=False) for place in places)
    return YAML.format(home=root, project=PROJECT, registry=registry, online=online, revision=chosen.revision)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.replace(path)
