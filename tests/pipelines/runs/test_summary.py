import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from components.home.layout import Home
from pipelines.runs.summary import print_summary, program, quality_table


def printed(*parts: object) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get()


def test_contenders_are_listed_the_best_first():
    scores = {name: {"ndcg_at_10": mean, "ci95": [mean - 0.1, mean + 0.1]} for name, mean in (("a", 0.2), ("b", 0.3))}
    lines = printed(
        quality_table({"challenger": scores["a"], "champion": None, "baselines": {"popularity": scores["b"]}})
    )
    assert "NDCG@10" in lines
    assert lines.index("popularity") < lines.index("challenger")


def test_a_run_that_scored_nobody_says_so(tmp_path):
    """Without held-out requests the verdict has no contenders."""
    document = {
        "run_id": "r1",
        "shop": "corner",
        "as_of": "2024-06-03T00:00:00+00:00",
        "metrics": {"challenger": None, "champion": None, "baselines": {}},
        "verdict": {"promote": False, "reasons": ["0 users with 0 held-out requests were judged"]},
        "reports": {},
    }
    console = Console(width=100)
    with console.capture() as captured:
        print_summary(document, Home(tmp_path), console)
    assert "nothing was scored" in captured.get()
    assert "0 users with 0 held-out requests" in captured.get()


def test_warnings_are_printed_and_older_documents_have_none(tmp_path: Path) -> None:
    document = {
        "run_id": "r1",
        "shop": "corner",
        "as_of": "2024-06-03",
        "metrics": None,
        "verdict": None,
        "reports": {},
    }
    console = Console(width=40)
    with console.capture() as captured:
        print_summary(document | {"warnings": ["items: 3 of 9 prices cannot be read [x]"]}, Home(tmp_path), console)
    assert "warning: items: 3 of 9 prices cannot be read [x]\n" in captured.get()
    with console.capture() as captured:
        print_summary(document, Home(tmp_path), console)
    assert "warning:" not in captured.get()


def test_the_next_commands_can_be_typed_where_the_run_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = tmp_path / ".venv" / "bin" / "rankloop"
    called.parent.mkdir(parents=True)
    called.write_text("#!/bin/sh\n")
    called.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(called)])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program() == ".venv/bin/rankloop"
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}{called.parent}")
    assert program() == "rankloop"
