"""Two processes that move one environment's pointer at the same time."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

from components.bundles.environments import Move, Pointer, PointerFiles
from components.bundles.promotion import promote
from components.bundles.store import publish_folder
from components.home.layout import Home
from components.home.storage.locations import Location
from tests.components.bundles.drafts import ranker_draft, written

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


def promote_beside_a_rival(root: Path, place: Location, digest: str, both_ready: Barrier, both_decide: Barrier) -> None:
    """Promote a bundle as soon as the rival's process is ready too."""
    import xgboost  # noqa: F401 - its seconds belong before the start

    home = Home(root)
    both_ready.wait(timeout=120)
    promote(home, "corner", digest, "local", NOW, Hesitant(place, both_decide))


def published(home: Home, k: int) -> str:
    draft = written(home.root / f"draft-{k}", ranker_draft(k=k))
    return publish_folder(home.models, draft, replace(draft.sidecar, verdict={"promote": True, "checks": []})).digest


def test_no_move_of_two_processes_is_lost(tmp_path: Path, location: Location) -> None:
    home, place = Home(tmp_path / "published"), location / "environments"
    digests = {published(home, 1), published(home, 2)}
    apart = multiprocessing.get_context("spawn")
    barriers = apart.Barrier(2), apart.Barrier(2)
    rivals = [
        apart.Process(target=promote_beside_a_rival, args=(home.root, place, digest, *barriers)) for digest in digests
    ]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0, 0]
    moves = PointerFiles(place).read("local").moves
    assert {move.bundle for move in moves} == digests
