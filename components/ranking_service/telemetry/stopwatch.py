"""Where the time of one answer goes."""

import time
from types import TracebackType

Lap = tuple[str, int, int]


class Stopwatch:
    """Times the stages of one answer: ``with stopwatch("features"): …``; stages do not overlap."""

    __slots__ = ("_began", "_stage", "laps")

    def __init__(self) -> None:
        self.laps: list[Lap] = []
        """Stage, start and end in nanoseconds of ``time.perf_counter_ns``; a stage may come more than once."""
        self._stage = ""
        self._began = 0

    def __call__(self, stage: str) -> "Stopwatch":
        """Name the stage that begins with the next ``with``."""
        self._stage = stage
        return self

    def __enter__(self) -> None:
        self._began = time.perf_counter_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.laps.append((self._stage, self._began, time.perf_counter_ns()))

    def seconds(self) -> dict[str, float]:
        """Return the time of each stage."""
        taken: dict[str, float] = {}
        for stage, began, ended in self.laps:
            taken[stage] = taken.get(stage, 0.0) + (ended - began) / 1e9
        return taken
