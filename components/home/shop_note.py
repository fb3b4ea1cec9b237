"""What a home notes of its shop: which one it is (one home is one shop), and the shop's own words for nobody."""

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from components.contracts.errors import ConfigurationError
from components.contracts.ids import nobody_words
from components.home.layout import Home
from components.home.storage.documents import has_document, read_document, write_document


@dataclass(frozen=True)
class ShopNote:
    """The shop's name, and the shop file that the last run of its home used."""

    shop: str
    shop_file: str


def read_shop_note(home: Home) -> ShopNote:
    """Read whose home it is.

    Raises:
        ConfigurationError: no run has made a home there, or its note cannot be read.
    """
    try:
        content = read_document(home.shop_note)
        if content is not None:
            return _note(json.loads(content))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f'{home.shop_note}: found what is not the note of a shop ({error}), expected {{"shop": NAME, "shop_file":'
            f" PATH}}; restore it, or remove it and run `rankloop run --shop FILE --home {home.root}`, which writes it"
        ) from error
    raise ConfigurationError(
        f"home {home.root}: no run has made a home there; `rankloop run --shop FILE --home {home.root}` does"
    )


def run_command(home: Home) -> str:
    """Return the command that runs a home's shop, for messages; it needs the shop file, for another is the default."""
    try:
        shop_file = shlex.quote(read_shop_note(home).shop_file)
    except ConfigurationError:
        shop_file = "FILE"
    return f"`rankloop run --shop {shop_file} --home {shlex.quote(str(home.root))}`"


def write_shop_note(home: Home, note: ShopNote) -> None:
    """Write whose home it is."""
    write_document(home.shop_note, json.dumps(asdict(note), indent=1).encode())


def _note(found: Any) -> ShopNote:
    note = ShopNote(**found)
    for name, value in asdict(note).items():
        if not isinstance(value, str):
            raise TypeError(f"{name} is {value!r:.80}")
    return note


def read_nobody(home: Home) -> frozenset[str]:
    """Read the words, in the form that ids are compared with; none without a note.

    Raises:
        ConfigurationError: the note cannot be read.
    """
    try:
        content = read_document(home.nobody_note)
        return nobody_words(json.loads(content)) if content is not None else frozenset()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{home.nobody_note}: found what is no list of words ({error}); `rankloop run` writes it"
        ) from error


def write_nobody(home: Home, words: tuple[str, ...]) -> None:
    """Write the words of ``contract.no_user``; there is no note where there never were any."""
    if words or has_document(home.nobody_note):
        write_document(home.nobody_note, json.dumps(sorted(words)).encode())
