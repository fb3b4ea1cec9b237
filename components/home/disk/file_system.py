"""What a home in a folder asks of its file system: a commit of a Delta table is a hard link."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from components.contracts.errors import ConfigurationError

BETTER = "on a local disk (ext4, XFS, APFS); network drives, USB sticks and mounted buckets often lack hard links"


def hard_link_error(folder: Path) -> str | None:
    """Return why no hard link can be made in an existing folder; None where one can.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.TemporaryDirectory(prefix=".links-", dir=folder) as scratch:
        target = Path(scratch) / "target"
        target.touch()
        try:
            os.link(target, target.with_suffix(".link"))
        except OSError as error:
            return error.strerror or str(error)
    return None


def require_hard_links(folder: Path) -> None:
    """Check that hard links can be made in a home's folder, before any work.

    Raises:
        ConfigurationError: its file system has none.
    """
    reason = None
    with suppress(OSError):  # a folder that cannot be written has its own message
        reason = hard_link_error(folder)
    if reason:
        raise ConfigurationError(
            f"home {folder}: its file system has no hard links ({reason}); name another --home {BETTER}"
        )
