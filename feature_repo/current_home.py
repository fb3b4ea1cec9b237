"""The objects that Feast's shell registers: those of the newest feature set of the home that RANKLOOP_HOME names.

Everything else in this folder defines functions only, so that ``feast apply`` finds each object once.
"""

import os

from components.contracts.errors import ConfigurationError
from components.features.snapshots.sets import current_set
from components.home.storage.locations import Location, parse_location
from feature_repo.definitions import definitions_of
from feature_repo.sessions import EMPTY_SESSIONS


def _home() -> Location:
    home = os.environ.get("RANKLOOP_HOME")
    if not home:
        raise ConfigurationError(
            "RANKLOOP_HOME is not set; expected a home, as feature_store.yaml reads it too: "
            "export RANKLOOP_HOME=$PWD/../.rankloop"
        )
    return parse_location(home)


_root = _home()
_sessions = _root / "feature_store" / EMPTY_SESSIONS
_definitions = definitions_of(current_set(_root / "features"), current=True, sessions=_sessions)
user, item = _definitions.entities
user_snapshots, item_snapshots, sessions_pushed = _definitions.sources
user_features, item_features, session_features = _definitions.views
ranking = _definitions.service
