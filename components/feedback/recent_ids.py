"""A bounded memory of ids: it knows at least the last N ids, and keeps at most twice as many."""

from collections.abc import Callable, Iterable


class RecentIds:
    """Remembers ids in two generations; when the younger is full, the older is forgotten.

    Ids that were known before are read when they are needed, and again and again until they can be.
    """

    def __init__(self, remembered: int, read: Callable[[int], Iterable[str]] = lambda _: ()) -> None:
        """Remember the last ``remembered`` ids; ``read`` returns at most as many known before them, oldest first."""
        self._remembered = remembered
        self._read: Callable[[int], Iterable[str]] | None = read
        self._young: set[str] = set()
        self._old: set[str] = set()

    def load(self) -> None:
        """Read the ids that were known before, unless that is done.

        Raises:
            OSError: they cannot be read.
        """
        if self._read is not None:
            before = list(self._read(self._remembered))
            self._read = None
            self.add(before)

    def __contains__(self, one: str) -> bool:
        return one in self._young or one in self._old

    def add(self, ids: Iterable[str]) -> None:
        """Remember ids."""
        for one in ids:
            if len(self._young) >= self._remembered:
                self._young, self._old = set(), self._young
            self._young.add(one)
