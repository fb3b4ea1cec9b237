"""Import Feast without the run-time type checks that it compiles into its classes: 1.5 s instead of 4."""

from types import ModuleType


def import_feast() -> ModuleType:
    """Import Feast with ``typeguard.typechecked`` doing nothing, and put typeguard back as it was.

    Feast decorates its classes when they are first imported; what is imported already stays as it is.
    """
    import typeguard

    checked = typeguard.typechecked
    typeguard.typechecked = lambda target=None, **_: target if target is not None else (lambda decorated: decorated)
    try:
        import feast
        import feast.feature_store
    finally:
        typeguard.typechecked = checked
    return feast
