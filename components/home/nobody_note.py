"""The note in a home of the shop's own words for nobody, so that the service knows them as the clean tables do."""

import json

from components.contracts.errors import ConfigurationError
from components.contracts.ids import nobody_words
from components.home.layout import Home
from components.home.storage.documents import has_document, read_document, write_document


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
