"""Two processes that move one environment's pointer at the same time."""

import multiprocessing
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

from components.bundles.environments import Pointer, PointerFiles
from components.bundles.promotion import promote
from components.bundles.store import publish_folder
from components.home.layout import Home
from tests.components.bundles.drafts import ranker_draft, written

NOW = "2024-06-03T02:00:00+00:00"
TOGETHER_SECONDS = 3.0


@dataclass(frozen=True)
class Hesitant(PointerFiles):
    """Pointer files whose reader waits for a rival to have read too, if the rival can get that far."""

    both_read: Barrier

    def read(self, environment: str) -> Pointer:
        found = super().read(environment)
        with suppress(BrokenBarrierError):
            self.both_read.wait(TOGETHER_SECONDS)
        return found


def promote_beside_a_rival(root: Path, digest: str, both_ready: Barrier, both_read: Barrier) -> None:
    """Promote a bundle as soon as the rival's process is ready too."""
    import xgboost  # noqa: F401 - its seconds belong before the start

    home = Home(root)
    both_ready.wait(timeout=120)
    promote(home, "corner", digest, "local", NOW, Hesitant(home.environments, both_read))


def published(home: Home, k: int) -> str:
    draft = written(home.root / f"draft-{k}", ranker_draft(k=k))
    return publish_folder(home.models, draft, replace(draft.sidecar, verdict={"promote": True, "checks": []})).digest


def test_no_move_of_two_processes_is_lost(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    digests = {published(home, 1), published(home, 2)}
    apart = multiprocessing.get_context("spawn")
    barriers = apart.Barrier(2), apart.Barrier(2)
    rivals = [apart.Process(target=promote_beside_a_rival, args=(home.root, digest, *barriers)) for digest in digests]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0, 0]
    moves = PointerFiles(home.environments).read("local").moves
    assert {move.bundle for move in moves} == digests
