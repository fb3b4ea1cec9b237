"""One rule for ids, wherever they come from: files, SQL tables, the service's callers, the command line.

An id is text without the white space, control and zero-width characters at its ends; a whole number written as a
fraction (``17850.0``) loses it; the usual words for nobody are no id. The SQL of ``ingest_events.mapping.cells`` is
made from the constants of this module, so that both ways in read the same.
"""

import re
from collections.abc import Collection

MAX_ID_CHARACTERS = 256
"""The longest id of the interface; longer ones are set aside at validation."""

BLANKS = (
    r"\x{0}-\x{20}\x{7f}-\x{a0}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{1680}\x{17b4}\x{17b5}\x{180b}-\x{180f}"
    r"\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}\x{2800}\x{3000}\x{3164}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}"
)
"""Characters that an id neither begins nor ends with, as a class of RE2: white space, control, zero-width, marks."""

CONTROLS = r"\x{0}-\x{1f}\x{7f}-\x{9f}\x{2028}\x{2029}"
"""Characters that no id may hold, as a class of RE2: they break lines and terminals."""

NOBODY = frozenset(
    {
        "", "nan", "null", "none", "nil", "nat", "undefined", "na", "n/a", "n.a.", "<na>", "<n/a>", "<null>", "<none>",
        "<nil>", "(null)", "(none)", "(nil)", "(na)", "(n/a)", "(undefined)", "[null]", "[none]", "{null}", "\\n",
        "#n/a", "#na", "#n/a n/a", "#null!", "#ref!", "#value!", "#name?", "#div/0!", "#num!", "-nan", "1.#ind",
        "-1.#ind", "1.#qnan", "-1.#qnan", "[object object]", "-", "--", "---", "\u2013", "\u2014", "?", "''", '""',
    }
)  # fmt: skip
"""What databases, languages and spreadsheets write where there is nobody, in lower case."""

WHOLE_FRACTION = r"[+-]?[0-9]+\.0+"
ROUNDED = r"[+-]?[0-9]\.[0-9]+[eE]\+?[0-9]+"
"""Numbers that a spreadsheet or a float has rounded, such as ``4.00639E+12``: several ids may be written so."""


def _python_class(characters: str) -> str:
    """Return the class of RE2 as one of Python's ``re``."""
    return re.sub(r"\\x\{([0-9a-f]+)\}", lambda match: f"\\U{int(match[1], 16):08x}", characters)


_ENDS = re.compile(rf"\A[{_python_class(BLANKS)}]+|[{_python_class(BLANKS)}]+\Z")
_WHOLE_FRACTION = re.compile(WHOLE_FRACTION)


def trimmed(text: str) -> str:
    """Return a text without the blanks at its ends."""
    return _ENDS.sub("", text)


def id_text(text: str) -> str:
    """Return an id as the lake writes it: trimmed, whole numbers without a fraction."""
    trimmed_text = trimmed(text)
    return trimmed_text.partition(".")[0] if _WHOLE_FRACTION.fullmatch(trimmed_text) else trimmed_text


def id_of(text: str | None, nobody: Collection[str] = ()) -> str | None:
    """Return an id, or None where the text means nobody; ``nobody`` are a shop's own words (see ``nobody_words``)."""
    if text is None:
        return None
    user_id = id_text(text)
    word = _lowered(user_id)
    return None if word in NOBODY or word in nobody else user_id


def nobody_words(words: Collection[str]) -> frozenset[str]:
    """Return a shop's own words for nobody in the form that ids are compared with, in small and capital letters."""
    return frozenset(
        _lowered(id_text(written)) for word in words for written in (word, word.lower(), word.upper(), word.title())
    )


def _lowered(text: str) -> str:
    """Lower case of ASCII alone: engines lower other letters by rules of their own."""
    return text.lower() if text.isascii() else text
