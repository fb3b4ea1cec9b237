"""What may happen to a file that others follow."""

from pathlib import Path


def tear(path: Path) -> None:
    """Leave half a document in its place."""
    torn = path.with_name("torn")
    torn.write_text("{")
    torn.replace(path)


def lead_in_a_circle(path: Path) -> None:
    """Leave a link to itself in its place."""
    circle = path.with_name("circle")
    circle.symlink_to(path)
    circle.replace(path)


SPOILING = (tear, lead_in_a_circle, Path.unlink)
