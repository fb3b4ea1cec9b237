"""Two processes that move one environment's pointer at the same time."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError

from components.bundles.environments import Move, Pointer, PointerFiles
from components.home.storage.locations import Location

NOW = "2024-06-03T02:00:00+00:00"
TOGETHER_SECONDS = 3.0


@dataclass(frozen=True)
class Hesitant(PointerFiles):
    """Pointers whose first decision waits for a rival to have decided too, if the rival can get that far."""

    both_decide: Barrier

    def move(self, environment: str, decide: Callable[[Pointer], Move | None]) -> Pointer:
        def decide_together(pointer: Pointer) -> Move | None:
            with suppress(BrokenBarrierError):
                self.both_decide.wait(TOGETHER_SECONDS)
            return decide(pointer)

        return super().move(environment, decide_together)


def promote_beside_a_rival(place: Location, digest: str, both_ready: Barrier, both_decide: Barrier) -> None:
    """Promote a bundle as soon as the rival's process is ready too."""
    both_ready.wait(timeout=120)
    Hesitant(place, both_decide).move("local", lambda _: Move("promote", digest, "run-1", NOW))


def test_no_move_of_two_processes_is_lost(location: Location) -> None:
    place, digests = location / "environments", {"sha256:one", "sha256:other"}
    apart = multiprocessing.get_context("spawn")
    barriers = apart.Barrier(2), apart.Barrier(2)
    rivals = [apart.Process(target=promote_beside_a_rival, args=(place, digest, *barriers)) for digest in digests]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0, 0]
    moves = PointerFiles(place).read("local").moves
    assert {move.bundle for move in moves} == digests
