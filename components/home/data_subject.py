"""What erasing a person's data is about: who, and what was done in one place."""

import html
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from components.contracts.id_parts import ID_KEYS, IdPart
from components.contracts.ids import id_text
from components.shop.settings import Shop

USER_ID = "user_id"
TELLING_NUMBER = 7  # digits
TELLING_MIXTURE = 4  # characters, digits among them
TELLING_WORD = 16  # characters without any digit


@dataclass(frozen=True)
class DataSubject:
    """A user, and under which names rows as they were found give ids of users, and other ids that may hold theirs."""

    user_id: str
    columns: frozenset[str] = field(default=frozenset({USER_ID}))
    id_keys: frozenset[str] = ID_KEYS
    tombstone: str = ""
    is_item: bool = False  # an item goes by the same id: texts that name it do not name the user

    @cached_property
    def part(self) -> IdPart:
        """Return the id as a part of other ids."""
        return IdPart(self.user_id, self.id_keys, self.is_searchable and not self.is_item, self.tombstone)

    @property
    def is_searchable(self) -> bool:
        """Whether the id is hardly met by chance, as a number or a word, so that any file can be searched for it."""
        least = TELLING_WORD
        if re.search(r"\d", self.user_id):
            least = TELLING_NUMBER if re.fullmatch(r"[\d.,+-]*", self.user_id) else TELLING_MIXTURE
        return len(self.user_id) >= least

    @cached_property
    def token(self) -> re.Pattern[bytes]:
        r"""The id where it stands alone: ``12`` is not in ``1228``, nor ``u0026`` in the escape ``\u0026``.

        It may be written as it is, as in JSON, or as in HTML.
        """
        written = {self.user_id, json.dumps(self.user_id)[1:-1], html.escape(self.user_id)}
        either = b"|".join(re.escape(each.encode()) for each in sorted(written))
        return re.compile(rb"(?<![\w.\\-])(?:" + either + rb")(?![\w-]|\.\w)")

    def is_named_by(self, value: object) -> bool:
        """Say whether a cell of a source is this user's id: as it stands, or by the rule for ids."""
        if value is None or isinstance(value, bool):
            return False
        return self.user_id in (str(value), id_text(str(value)))

    def is_in(self, document: object) -> bool:
        """Whether a JSON document names the user under one of the names, at any depth."""
        if isinstance(document, Mapping):
            return any(
                (key in self.columns and self.is_named_by(value)) or self.is_in(value)
                for key, value in document.items()
            )
        return isinstance(document, list) and any(self.is_in(each) for each in document)


@dataclass(frozen=True)
class Erased:
    """What was erased in one place; all zero where nothing was found."""

    rows: int = 0
    files: int = 0  # rewritten or removed
    searched: int = 0  # files that were looked into
    parts: int = 0  # cells of others that held the id as a part, and hold a stand-in now

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(
            self.rows + other.rows,
            self.files + other.files,
            self.searched + other.searched,
            self.parts + other.parts,
        )


def person_of(shop: Shop, user_id: str, tombstone: str) -> DataSubject:
    """A user of a shop."""
    return DataSubject(user_id, frozenset({USER_ID, *_user_columns(shop)}), ID_KEYS | _id_columns(shop), tombstone)


def _user_columns(shop: Shop) -> Collection[str]:
    sources: list[Any] = [source.columns for source in shop.events]
    sources += [source for source in (shop.users, shop.impressions) if source is not None]
    return [source.user for source in sources if source.user is not None]


def _id_columns(shop: Shop) -> frozenset[str]:
    """Return the sources' columns of sessions and requests, by which rows as they were found give such ids."""
    named = [column for source in shop.events for column in (source.columns.session, source.columns.request)]
    named += [shop.impressions.request] if shop.impressions is not None else []
    return frozenset(column for column in named if column is not None)
