"""What a home asks of its file system: a Delta commit is a hard link, the current feature set a symbolic one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from components.contracts.errors import ConfigurationError

BETTER = "on a local disk (ext4, XFS, APFS); network drives, USB sticks and mounted buckets often lack links"


def lacking_links(folder: Path) -> str | None:
    """Return what kind of link cannot be made in an existing folder, None where both can.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.TemporaryDirectory(prefix=".links-", dir=folder) as scratch:
        target = Path(scratch) / "target"
        target.touch()
        for kind, link in (("hard links", os.link), ("symbolic links", os.symlink)):
            try:
                link(target, target.with_suffix(".link"))
            except OSError as error:
                return f"{kind} ({error.strerror})"
            target.with_suffix(".link").unlink()
    return None


def require_links(folder: Path) -> None:
    """Check that links can be made in a home's folder, before any work.

    Raises:
        ConfigurationError: its file system has none.
    """
    lacking = None
    with suppress(OSError):  # a folder that cannot be written has its own message
        lacking = lacking_links(folder)
    if lacking:
        raise ConfigurationError(f"home {folder}: its file system has no {lacking}; name another --home {BETTER}")
