"""What the steps of a run say of a user goes with the user, and nothing else."""

import json
from dataclasses import asdict
from pathlib import Path

from components.erasure.runs import erase_runs
from components.home.data_subject import DataSubject
from components.home.layout import Home
from components.home.runs.step_records import StepRecord, read_records
from tests.shop_files import shop_folder


def test_rows_that_were_set_aside_and_sentences_go_with_their_user(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    rows = [json.dumps({"user_id": user, "item_id": "a"}) for user in ("u12", "u1")]
    record = StepRecord(
        "validate_events",
        state="done",
        warnings=["events: the user 'u12' has 66 % of all events", "events: 3 rows of 'u123' are late"],
        facts={"new": {"events": {"examples": {"late": [*rows, "{cut short"]}}}, "examples": [{"user_id": "u12"}]},
    )
    steps = home.run("r1") / "steps"
    steps.mkdir(parents=True)
    (steps / "validate_events.json").write_text(json.dumps(asdict(record)))
    (home.run("r1") / "result.json").write_text(json.dumps({"warnings": record.warnings}))

    erased = erase_runs(home, shop_folder(tmp_path / "shop").shop(), DataSubject("u12"))

    (kept,) = read_records(home.run("r1")).values()
    assert erased.rows == 3
    assert kept.facts == {"new": {"events": {"examples": {"late": [rows[1], "{cut short"]}}}, "examples": []}
    assert kept.warnings == record.warnings[1:]
    assert json.loads((home.run("r1") / "result.json").read_text()) == {"warnings": record.warnings[1:]}
