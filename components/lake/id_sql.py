"""SQL of the rule for ids, made from the constants of ``contracts.ids``; a test holds both equal on any text."""

import re

from components.contracts.ids import BLANKS, NOBODY, WHOLE_FRACTION
from components.lake.session import quote_literal

PLAIN = "[0-9A-Za-z_-]+"
"""Ids that only the words for nobody may change: most ids are such, and this is the cheapest test for them."""
_TIDY = quote_literal("[!-~]|[!-~].*[!-~]")  # printable ASCII at both ends: nothing to trim, and a much cheaper test
_ENDS = quote_literal(rf"\A[{BLANKS}]+|[{BLANKS}]+\z")
_NOBODY = ", ".join(quote_literal(word) for word in sorted(NOBODY))
_PLAIN_NOBODY = ", ".join(quote_literal(word) for word in sorted(NOBODY) if re.fullmatch(PLAIN, word))


def trimmed_sql(cell: str) -> str:
    """Return SQL of a text without the blanks at its ends."""
    return f"CASE WHEN {_is_tidy(cell)} THEN {cell} ELSE regexp_replace({cell}, {_ENDS}, '', 'g') END"


def _is_tidy(cell: str) -> str:
    return f"regexp_full_match({cell}, {_TIDY})"


def lowered_sql(cell: str) -> str:
    """Return SQL of a text in lower case, if it is ASCII: engines lower other letters by rules of their own."""
    return f"CASE WHEN strlen({cell}) = length({cell}) THEN lower({cell}) ELSE {cell} END"


def means_nobody_sql(trimmed: str) -> str:
    """Return SQL that says whether a trimmed text is a word for nobody."""
    return f"({lowered_sql(trimmed)} IN ({_NOBODY}))"


def whole_sql(trimmed: str) -> str:
    """Return SQL of a trimmed text; a whole number written as a fraction loses it."""
    return f"""
        CASE
            WHEN contains({trimmed}, '.0') AND regexp_full_match({trimmed}, {quote_literal(WHOLE_FRACTION)})
                THEN split_part({trimmed}, '.', 1)
            ELSE {trimmed}
        END
    """


def id_sql(cell: str) -> str:
    """Return SQL of the id that a text is; null where it means nobody."""
    trimmed = trimmed_sql(cell)
    plain = f"regexp_full_match({cell}, {quote_literal(PLAIN)}) AND lower({cell}) NOT IN ({_PLAIN_NOBODY})"
    tidy = f"{_is_tidy(cell)} AND NOT contains({cell}, '.0') AND NOT {means_nobody_sql(cell)}"
    return f"""
        CASE
            WHEN ({plain}) OR ({tidy}) THEN {cell}
            WHEN {means_nobody_sql(trimmed)} THEN NULL
            ELSE {whole_sql(trimmed)}
        END
    """
