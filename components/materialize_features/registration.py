"""Feast's registry of a home: applied when its objects have changed; else not, for Feast takes seconds to load."""

import json
from pathlib import Path

from components.contracts.urls import public_url
from components.features.snapshots.sets import FeatureSet
from components.home.layout import Home
from components.home.storage.documents import has_document, read_document, write_document
from feature_repo.feast_import import import_feast
from feature_repo.project import OFFLINE_STORE, PROJECT, REGISTRY, STORE_TYPE
from feature_repo.sessions import EMPTY_SESSIONS

SETTINGS = "feature_store.yaml"
YAML = """\
# Written by materialize_features. Use it, in a bucket a copy of it: feast -f {file} materialize-incremental <time>
project: {project}
provider: local
registry:
  path: {registry}
  registry_store_type: {store}
offline_store:
  type: {offline}
online_store:
  type: feature_repo.packed_online_store.feast.online_store.PackedOnlineStore
  url: {online}
  revision: "{revision}"
entity_key_serialization_version: 3
"""


def register(home: Home, feature_set: FeatureSet) -> bool:
    """Apply a set's objects to the home's registry, reading the current set; True if they had changed."""
    place = home.feature_store
    note = place / "applied.json"
    wanted = {"revision": feature_set.revision, "ttl_days": feature_set.ttl_days, "home": str(home.root)}
    wanted |= {"online": public_url(home.online_url), "sources": "manifests", "registry": STORE_TYPE}
    if has_document(place / REGISTRY) and read_document(note) == json.dumps(wanted).encode():
        return False
    import_feast()
    from feast import FeatureStore

    from feature_repo.definitions import definitions_of, write_empty_sessions
    from feature_repo.repository import store_config

    store = FeatureStore(config=store_config(home, place / REGISTRY, feature_set.revision))
    write_empty_sessions(place / EMPTY_SESSIONS)
    store.apply(definitions_of(feature_set, current=True, sessions=place / EMPTY_SESSIONS).objects)
    write_document(place / SETTINGS, feast_settings(home, feature_set.revision).encode())
    write_document(note, json.dumps(wanted).encode())
    return True


def feast_settings(home: Home, revision: str) -> str:
    """Return the file that Feast's shell and other programs read: from the home's folder, or from a copy."""
    file = home.feature_store / SETTINGS
    places = (str(home.feature_store / REGISTRY), f"home://{home.root}")
    registry, online = (json.dumps(place, ensure_ascii=False) for place in places)
    return YAML.format(
        file=file if isinstance(file, Path) else SETTINGS,
        project=PROJECT,
        registry=registry,
        store=STORE_TYPE,
        offline=OFFLINE_STORE,
        online=online,
        revision=revision,
    )
