"""A file of the home that holds one URL, such as ``online_url``."""

from components.contracts.errors import ConfigurationError
from components.contracts.urls import fill_variables
from components.home.storage.documents import read_document
from components.home.storage.locations import Location


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
