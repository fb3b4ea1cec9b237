"""A shop file, a home, and a runner of fake pipelines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.home.layout import Home
from components.home.runs.records import RunRecord, new_run_id, save_run
from components.home.runs.step_records import StepRecord
from components.home.shop_note import ShopNote, write_shop_note
from pipelines.runs.local_run import run_pipeline
from tests.shop_files import TINY_SHOP

ROOT = Path(__file__).parents[2]
FAKE = "tests.pipelines.runs.fake_pipelines:two_steps"


RunFake = Callable[..., dict[str, StepRecord]]


@pytest.fixture
def shop_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_SHOP)
    (tmp_path / "purchases.csv").write_text("user,item,time\nann,apple,2026-01-01\n")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def home_with_record(home: Home, shop_file: Path) -> Home:
    """A home with the record of a run that is over, for commands that only read it."""
    home.root.mkdir(exist_ok=True)
    write_shop_note(home, ShopNote("tiny", str(shop_file)))
    save_run(home, RunRecord(new_run_id(), "fake", "tiny", str(shop_file), None, state="done"))
    return home


@pytest.fixture
def run_fake(shop_file: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> RunFake:
    """Run the fake pipeline in a mood; its components live in the tests, so steps need to find these."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(mood: str = "calm", shop: str = "tiny") -> dict[str, StepRecord]:
        run_id = new_run_id(home)
        arguments = {"shop": str(shop_file), "home": str(home.root), "run_id": run_id, "mood": mood}
        return run_pipeline(home, shop, run_id, FAKE, arguments, lambda records: None)

    return run
