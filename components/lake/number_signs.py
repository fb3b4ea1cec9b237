"""The signs in which a shop writes numbers: before the fraction, and between groups of digits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from components.lake.session import quote_literal

SPACES, APOSTROPHES = " \u00a0\u2009\u202f", "'\u2019"  # signs that exports write in several forms


@dataclass(frozen=True)
class NumberSigns:
    """The signs within numbers in text: before the fraction, and between groups of digits."""

    decimal: str = "."
    thousands: str | None = None

    @property
    def _groups(self) -> str:
        """Return the signs between groups, as they stand within the brackets of a regular expression."""
        alike = next((signs for signs in (SPACES, APOSTROPHES) if self.thousands and self.thousands in signs), None)
        return alike or _literal(self.thousands or "")

    @property
    def pattern(self) -> str:
        """Return a regular expression of whole numbers and fractions that are written so."""
        digits = (
            r"\d+" if self.thousands is None else rf"(\d+|\d{{1,3}}([{self._groups}]\d{{2,3}})*[{self._groups}]\d{{3}})"
        )
        decimal = _literal(self.decimal)
        return rf"[+-]?({digits}({decimal}\d*)?|{decimal}\d+)([eE][+-]?\d+)?"

    def number(self, cell: str) -> str:
        """Return SQL of a text as a number; null where it is none."""
        if self == PLAIN:
            return f"TRY_CAST({cell} AS DOUBLE)"
        groups = quote_literal(f"[{self._groups}]")
        bare = cell if self.thousands is None else f"regexp_replace({cell}, {groups}, '', 'g')"
        plain = f"replace({bare}, {quote_literal(self.decimal)}, '.')"
        is_number = f"regexp_full_match({cell}, {quote_literal(self.pattern)})"
        return f"CASE WHEN {is_number} THEN TRY_CAST({plain} AS DOUBLE) END"


PLAIN = NumberSigns()


def _literal(sign: str) -> str:
    """Return a sign in a regular expression, also within brackets."""
    return f"\\{sign}" if sign.isascii() else sign


# What a number that cannot be read may be, and the keys of the shop file that would read it: the first that fits.
OTHER_SIGNS = (
    (PLAIN.pattern, "a decimal point: set `source.decimal`"),
    (r"[+-]?\d{1,3},\d{3}", "a comma: set `source.decimal` or `source.thousands`"),
    (NumberSigns(",").pattern, "a decimal comma: set `source.decimal`"),
    (NumberSigns(",", ".").pattern, "a decimal comma and points: set `source.decimal` and `source.thousands`"),
    (NumberSigns(",", " ").pattern, "a decimal comma and spaces: set `source.decimal` and `source.thousands`"),
    (NumberSigns(".", ",").pattern, "thousands separators: set `source.thousands`"),
    (NumberSigns(".", " ").pattern, "thousands separators: set `source.thousands`"),
    (NumberSigns(".", "'").pattern, "thousands separators: set `source.thousands`"),
    (r"[^\d.,]+[\d.,' ]*\d[^\d.,]*|[+-]?[\d.,' ]*\d[^\d.,]+", "signs beside the number: export the number alone"),
)


def unreadable_number(cell: str, what: str) -> str:
    """Return SQL of the problem of a number that cannot be read, with the key that would read it."""
    hints = " ".join(
        f"WHEN regexp_full_match({cell}, {quote_literal(pattern)}) THEN {quote_literal(f'unreadable {what} ({hint})')}"
        for pattern, hint in OTHER_SIGNS
    )
    return f"CASE {hints} ELSE {quote_literal(f'unreadable {what}')} END"


def number_hint(cells: Iterable[str]) -> str | None:
    """Say which setting would read the first of some cells that are no numbers; None if none would."""
    return next((hint for cell in cells for pattern, hint in OTHER_SIGNS if re.fullmatch(pattern, cell.strip())), None)
