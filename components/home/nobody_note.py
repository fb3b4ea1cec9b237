"""The note in a home of the shop's own words for nobody, so that the service knows them as the clean tables do."""

import json

from components.contracts.errors import ConfigurationError
from components.contracts.ids import nobody_words
from components.home.disk.durable import write_durably
from components.home.layout import Home


def read_nobody(home: Home) -> frozenset[str]:
    """Read the words, in the form that ids are compared with; none without a note.

    Raises:
        ConfigurationError: the note cannot be read.
    """
    try:
        return nobody_words(json.loads(home.nobody_note.read_bytes()))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{home.nobody_note}: found what is no list of words ({error}); `rankloop run` writes it"
        ) from error


def write_nobody(home: Home, words: tuple[str, ...]) -> None:
    """Write the words of ``contract.no_user``; there is no note where there never were any."""
    if words or home.nobody_note.exists():
        write_durably(home.nobody_note, json.dumps(sorted(words)).encode())
