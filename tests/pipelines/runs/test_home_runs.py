"""The records of a home's runs, in the order in which these began."""

import shutil
from dataclasses import replace

from components.home.layout import Home
from components.home.runs.records import RunRecord, list_runs, new_run_id, save_run


def test_the_newest_run_is_the_last_one_also_after_a_run_with_a_clock_ahead(home: Home) -> None:
    ahead = RunRecord("29991231T235959999-ab12", "training", "tiny", "tiny.toml", None, "done")
    for other in ("an-older-form", "99999999T999999999-ab12", "99991231T235959999-ab12"):
        (home.run(other)).mkdir(parents=True)
        (home.run(other) / "run.json").write_text("{}")  # no moment comes after these
    assert new_run_id(home) < ahead.run_id
    shutil.rmtree(home.runs)
    save_run(home, ahead)
    later = replace(ahead, run_id=new_run_id(home))
    save_run(home, later)
    latest = replace(ahead, run_id=new_run_id(home))
    save_run(home, latest)
    assert [run.run_id for run in list_runs(home)] == [latest.run_id, later.run_id, ahead.run_id]
