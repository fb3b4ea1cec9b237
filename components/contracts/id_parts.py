"""An id as a part of other ids and texts, such as a session ``<user>-20261129-1`` in another user's rows.

The rule of boundaries: before and after a part stands no letter and no digit. So ``12`` is a part of ``12-20261129-1``
and of ``s_12``, and not of ``4123`` or ``a12``. In columns and JSON keys that hold ids of sessions, requests and events
each such part counts; in other texts only ids count that are hardly met by chance, and numbers only where no decimal
point or comma is beside them. A whole value of a row as it was found is left: it may be an item that is called alike.
A short id beside the id of the row's own user is a counter or a date: ``12`` in ``55-20261129-12`` of user ``55``.

What is replaced gets a stand-in of the same length, made of the user's tombstone: other ids stay as different from each
other as they were, and lines keep their length.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

ID_KEYS = frozenset({"session_id", "request_id", "event_id"})
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Dialect:
    """The syntax of an engine of regular expressions for characters that are neither letters nor digits."""

    outside: str
    in_json: str  # and no quote or backslash
    beside_number: str  # and no decimal point or comma
    within_number: str  # and none of all these


PYTHON = Dialect(r"[\W_]", r'(?:[^"\\\w]|_)', r"(?:[^\w.,]|_)", r'(?:[^"\\\w.,]|_)')
RE2 = Dialect(r"[^\p{L}\p{N}]", r'[^"\\\p{L}\p{N}]', r"[^\p{L}\p{N}.,]", r'[^"\\\p{L}\p{N}.,]')


def bounded(dialect: Dialect, user_id: str) -> str:
    """Return a regular expression of an id between boundaries, which are its two groups."""
    return f"(^|{dialect.outside}){re.escape(user_id)}({dialect.outside}|$)"


@dataclass(frozen=True)
class IdPart:
    """An id that is looked for as a part; ``keys`` of JSON texts hold ids, ``is_searchable`` ids count in any text."""

    user_id: str
    keys: Collection[str]
    is_searchable: bool
    tombstone: str

    @cached_property
    def stand_in(self) -> str:
        """Return letters that stand for the id, as many as it has bytes, and other than it."""
        length, digest = len(self.user_id.encode()), hashlib.sha256(self.tombstone.encode()).digest()
        letters = "".join(LETTERS[digest[place % len(digest)] % len(LETTERS)] for place in range(length))
        return (
            letters
            if letters != self.user_id
            else letters[:-1] + LETTERS[(LETTERS.index(letters[-1]) + 1) % len(LETTERS)]
        )

    def in_id(self, dialect: Dialect) -> str:
        """Return a regular expression of the part in a cell that holds one id; its two groups stay."""
        return bounded(dialect, self.user_id)

    def in_text(self, dialect: Dialect, whole: bool = True) -> list[str]:
        """Regular expressions of the part in a text, which may be JSON; their two groups stay.

        Args:
            whole: outside the keys that hold ids, whole values count too.
        """
        piece = "|".join(re.escape(each) for each in sorted({self.user_id, *map(self._in_json, (True, False))}))
        keys = "|".join(re.escape(key) for key in sorted(self.keys))
        begins = f'"(?:{keys})"\\s*:\\s*"(?:(?:[^"\\\\]|\\\\.)*(?:{dialect.in_json}|\\\\.))?'
        patterns = [f"({begins})(?:{piece})({dialect.outside})"]
        beside = dialect.beside_number if self.user_id.isdigit() else dialect.outside
        if self.is_searchable and whole:
            patterns += [f"(^|{beside})(?:{piece})({beside}|$)"]
        elif self.is_searchable:
            within = f"{dialect.in_json}" if beside == dialect.outside else dialect.within_number
            patterns += [f"({within})(?:{piece})({beside})", f"({beside})(?:{piece})({within})"]
        return patterns

    def is_in_id(self, cell: str | None) -> bool:
        """Return whether a cell that holds one id holds this one as a part, or is it."""
        return cell is not None and re.search(self.in_id(PYTHON), cell) is not None

    def is_counter(self, cell: str, owner: str | None) -> bool:
        """Return whether a cell of a row names the row's own user, so that a short id beside it is none."""
        return not self.is_searchable and owner is not None and re.search(bounded(PYTHON, owner), cell) is not None

    def replaced_in_id(self, cell: str) -> str:
        """Put the stand-in into a cell that holds one id."""
        return self._replaced([self.in_id(PYTHON)], cell)

    def replaced_in_text(self, text: str) -> str:
        """Put the stand-in into a text, which may be JSON."""
        return self._replaced(self.in_text(PYTHON), text)

    def _in_json(self, is_ascii: bool) -> str:
        return json.dumps(self.user_id, ensure_ascii=is_ascii)[1:-1]

    def _replaced(self, patterns: Collection[str], text: str) -> str:
        if self.user_id not in text and self._in_json(False) not in text and self._in_json(True) not in text:
            return text
        for pattern in patterns:
            while (after := re.sub(pattern, rf"\g<1>{self.stand_in}\g<2>", text)) != text:
                text = after
        return text
