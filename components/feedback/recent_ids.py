"""A bounded memory of ids: at least the last so many are known, at most twice as many are kept."""

from collections.abc import Iterable


class RecentIds:
    """Remembers ids in two generations; when the younger is full, the older is forgotten."""

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._young: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, one: str) -> bool:
        return one in self._young or one in self._old

    def add(self, ids: Iterable[str]) -> None:
        """Remember ids."""
        for one in ids:
            if len(self._young) >= self._remembered:
                self._young, self._old = set(), self._young
            self._young.add(one)
