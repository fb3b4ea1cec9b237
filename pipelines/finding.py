"""What an examination found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing examined; ``needed``: nothing runs without it."""

    subject: str
    well: bool
    found: str
    fix: str = ""
    needed: bool = True
