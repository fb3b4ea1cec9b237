"""Codes and flags as exports write them: type codes, values of exclusion rules, stock flags.

They are compared by the rule of ids, without regard to case: ``1.0`` is ``1``, ``TRUE`` is ``true``.
"""

from components.lake.id_sql import whole_sql
from components.lake.session import quote_literal
from components.shop.settings import Rules

SCHEMA_ORG = r"^https?://schema\.org/"
NO_LETTER = r"[^\p{L}\p{N}]"

# As `flag_word` gives them: in small letters, without accents, spaces and signs.
YES = (
    "true", "t", "yes", "y", "on", "instock", "available", "limitedavailability",
    "ja", "j", "wahr", "lieferbar", "verfugbar", "oui", "vrai", "enstock", "si", "sim", "disponible", "tak",
)  # fmt: skip
NO = (
    "false", "f", "no", "n", "off", "outofstock", "soldout", "unavailable", "notavailable", "discontinued",
    "nein", "falsch", "nichtlieferbar", "ausverkauft", "non", "faux", "epuise", "nao", "agotado", "esgotado", "nie",
)  # fmt: skip


def code(value: str) -> str:
    """Return SQL of a value as it is compared: trimmed, in small letters, ``17.0`` as ``17``."""
    return whole_sql(f"lower(trim({value}))")


def flag(value: str, rules: Rules) -> str:
    """Return SQL of a stock flag as true or false; null where it is missing or not understood.

    The shop file's own words come first, then the usual ones, then numbers: above 0 is in stock.
    """
    word, number = flag_word(value), f"TRY_CAST(trim({value}) AS DOUBLE)"
    return f"""
        CASE
            WHEN {word} IN ({_words(rules.in_stock_words)}) THEN true
            WHEN {word} IN ({_words(rules.out_of_stock_words)}) THEN false
            WHEN {word} IN ({_words(YES)}) THEN true
            WHEN {word} IN ({_words(NO)}) THEN false
            WHEN isfinite({number}) THEN {number} > 0
        END
    """


def flag_word(value: str) -> str:
    """Return SQL of a flag's letters and digits: ``In Stock`` and ``in_stock`` are ``instock``; numbers keep signs."""
    compared = code(value)
    bare = f"regexp_replace(strip_accents({compared}), {quote_literal(SCHEMA_ORG)}, '')"
    letters = f"regexp_replace({bare}, {quote_literal(NO_LETTER)}, '', 'g')"
    return f"CASE WHEN TRY_CAST({compared} AS DOUBLE) IS NULL THEN {letters} ELSE {compared} END"


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(flag_word(quote_literal(word)) for word in words) or "NULL"
