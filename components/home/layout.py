"""A home: the folder or bucket prefix of one shop, and where everything lies in it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.contracts.tables import RAW
from components.contracts.urls import fill_variables
from components.home.storage.documents import list_names, read_document
from components.home.storage.locations import Location, parse_location

# Delta tables do not work below a place with these in its path: deltalake 1.6 takes paths for URLs.
UNFIT = re.compile(r"[\x00-\x1f\[\]\\^|]|%[0-9A-Fa-f]{2}")

ONLINE_VARIABLE = "RANKLOOP_ONLINE_URL"
EXPERIMENTS_VARIABLE = "RANKLOOP_EXPERIMENTS"  # a folder instead of the home's, such as a mounted ConfigMap
MODELS_VARIABLE = "RANKLOOP_MODELS"  # a folder instead of the home's models, such as a mounted image of a bundle
SECRETS_VARIABLE = "RANKLOOP_SECRETS"  # a folder of api_keys.json and online_url, such as a mounted Secret
NAME_ADVICE = "expected ASCII letters, digits, - and _; name it differently"


def is_environment_name(name: str) -> bool:
    """Whether an environment can be called that: a name is a part of the names of files."""
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()


@dataclass(frozen=True)
class Home:
    """The layout of a home.

    ::

        lake/raw/<table>          what was ingested, append-only (Delta)
        lake/clean/<table>        what passed the data contract (Delta), with item_codes
        lake/quarantine           what did not, a reason each (Delta)
        lake/**/.last_vacuum      touched when old versions of the tables beside it were last let go
        features/pool/…           one file a view and day, content-addressed
        features/sets/<digest>.json   immutable snapshot sets, which Feast reads: the pool files of each view and day
        features/current.json     which set is the current one
        feature_store/            Feast's registry and generated feature_store.yaml
        online/                   the packed online store (LMDB)
        feature_store/online/     what a run put online: place, mark and counts, a feature revision each
        online_url                another place for it, such as redis://:${PASSWORD}@host:6379/0; written by hand
        models/                   BentoML's model store, with its bundles; in a bucket they lie in the same places
        keys/                     a folder's: the key that signs its bundles, and the public halves that it accepts
        environments/<env>.json   which bundle an environment serves, and its history
        experiments/<env>.toml    the arms that an environment's service shows, and their shares
        feedback/                 what the service showed and what came back; see ``contracts/feedback.py``
        tombstones.json           keyed hashes of users who were forgotten, with their key
        forgotten/<hash>.json     the receipt of each erasure, named by the tombstone
        api_keys.json             hashes of the keys that callers of the service must show
        runs/<run_id>/            run.json, steps/ (records), log.txt, report, kfp/ (KFP's own files)
        lock                      held by a run from before its first step until its exit handler has ended it; in
                                  a bucket ``lease.json``, which expires
        shop.json                 which shop this home belongs to
        nobody.json               the shop's own words for nobody, if it has any

    A cluster mounts configuration, secrets and bundles: RANKLOOP_EXPERIMENTS, RANKLOOP_SECRETS and RANKLOOP_MODELS name
    other folders for ``experiments``, for ``api_keys.json`` and ``online_url``, and for ``models``.

    Raises:
        ConfigurationError: its path holds what Delta tables cannot live under.
    """

    root: Location

    def __post_init__(self) -> None:
        unfit = UNFIT.search(str(self.root))
        if unfit:
            raise ConfigurationError(
                f"home {self.root}: found {unfit[0]!r} in its path, expected none of [ ] \\ ^ | nor % before two "
                "hexadecimal digits; name another --home"
            )

    @property
    def raw(self) -> Location:
        return self.root / "lake" / "raw"

    @property
    def clean(self) -> Location:
        return self.root / "lake" / "clean"

    @property
    def quarantine(self) -> Location:
        return self.root / "lake" / "quarantine"

    def tables(self) -> Iterator[Location]:
        """Yield the Delta tables of the lake and of the feedback, those that are not there among them."""
        yield from (self.raw / name for name in RAW)
        yield from (self.clean / name for name in list_names(self.clean))
        yield self.quarantine
        yield self.feedback / "impressions"

    def table_path(self, kind: str, table: str) -> Location:
        """Folder of a table whose version a handle of a kind carries: only ``raw`` ones speak of raw tables."""
        if kind == "raw":
            return self.raw / table
        return self.quarantine if table == "quarantine" else self.clean / table

    @property
    def features(self) -> Location:
        return self.root / "features"

    @property
    def feature_store(self) -> Location:
        return self.root / "feature_store"

    @property
    def online_url(self) -> str:
        """Where the packed store lies: what ``RANKLOOP_ONLINE_URL`` says, else the file ``online_url``, else a folder.

        The folder of a folder home stands in the URL as it is, nothing is percent-encoded.

        Raises:
            ConfigurationError: the file cannot be read, an environment variable that it names is not set, or a home in
                a bucket has neither.
        """
        chosen = os.environ.get(ONLINE_VARIABLE)
        url = fill_variables(ONLINE_VARIABLE, chosen) if chosen else read_url(self.online_url_file)
        if url is None and not isinstance(self.root, Path):
            raise ConfigurationError(
                f"home {self.root}: found no online store for it, expected {ONLINE_VARIABLE} or the document"
                f" {self.online_url_file} with a URL such as redis://host:6379/0; a bucket can hold no LMDB"
            )
        return url or f"lmdb://{self.root / 'online'}"

    @property
    def online_url_file(self) -> Location:
        """Return the file that names another online store than the home's own; it may hold a password."""
        return _folder(SECRETS_VARIABLE, self.root) / "online_url"

    @property
    def models(self) -> Location:
        return _folder(MODELS_VARIABLE, self.root / "models")

    @property
    def keys(self) -> Path | None:
        """Return the folder of the home's own keys; None in a bucket, whose keys are mounted."""
        return self.root / "keys" if isinstance(self.root, Path) else None

    @property
    def environments(self) -> Location:
        return self.root / "environments"

    @property
    def experiments(self) -> Location:
        return _folder(EXPERIMENTS_VARIABLE, self.root / "experiments")

    @property
    def feedback(self) -> Location:
        return self.root / "feedback"

    @property
    def tombstones(self) -> Location:
        return self.root / "tombstones.json"

    @property
    def forgotten(self) -> Location:
        return self.root / "forgotten"

    @property
    def api_keys(self) -> Location:
        return _folder(SECRETS_VARIABLE, self.root) / "api_keys.json"

    @property
    def runs(self) -> Location:
        return self.root / "runs"

    @property
    def lock(self) -> Location:
        return self.root / ("lock" if isinstance(self.root, Path) else "lease.json")

    @property
    def shop_note(self) -> Location:
        return self.root / "shop.json"

    @property
    def nobody_note(self) -> Location:
        """Return the shop's own words for nobody."""
        return self.root / "nobody.json"

    def run(self, run_id: str) -> Location:
        """Folder of one run."""
        return self.runs / run_id


def _folder(variable: str, usual: Location) -> Location:
    """Return the folder that a variable names, or the usual one."""
    named = os.environ.get(variable)
    return parse_location(named) if named else usual


def read_url(file: Location) -> str | None:
    """Read the URL in a file of one line, its ``${NAME}`` replaced by environment variables; None without the file.

    Raises:
        ConfigurationError: the file cannot be read, holds no URL, or a variable is not set.
    """
    expected = "expected a line such as redis://host:6379/0, or no such file"
    try:
        content = read_document(file)
        if content is None:
            return None
        written = content.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read ({error}); {expected}") from error
    url = fill_variables(str(file), written)
    if "://" not in url:
        raise ConfigurationError(f"{file}: found no URL in it; {expected}")
    return url
