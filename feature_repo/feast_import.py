"""Import Feast without the run-time type checks that it compiles into its classes: 1.5 s instead of 4."""

from collections.abc import Callable
from typing import Any


def import_feast() -> None:
    """Import Feast with ``typeguard.typechecked`` doing nothing, and put typeguard back as it was.

    Feast decorates its classes when they are first imported; what is imported already stays as it is.
    """
    import typeguard

    checked: Any = typeguard.typechecked
    unchecked: Any = _undecorated
    typeguard.typechecked = unchecked
    try:
        import feast.feature_store  # noqa: F401 - for its effect: the classes exist from here on
    finally:
        typeguard.typechecked = checked


def _undecorated(target: Any = None, **_: Any) -> Any:
    """Stand in for a decorator, used with or without arguments."""
    keep: Callable[[Any], Any] = lambda decorated: decorated  # noqa: E731
    return keep if target is None else target
