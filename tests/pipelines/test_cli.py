"""The command line's edges: help, usage errors, exit codes, and what stands on which stream."""

import json

import pytest

from components.home.layout import Home
from components.home.runs.records import list_runs
from pipelines.cli import COMMANDS
from tests.pipelines.conftest import RunFake
from tests.pipelines.homes.tiny_shop import rankloop, the_one_line

pytestmark = pytest.mark.slow(seconds=20)


def test_help_lists_every_command() -> None:
    shown = rankloop("--help")
    assert shown.returncode == 0
    assert all(f"  {name} " in shown.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    shown = rankloop(command, "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"Usage: rankloop {command} ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "No such command 'rnu'"),
        (["run", "--home"], "Option '--home' requires an argument"),
        (["run", "--shop", "no-such.toml"], "no-such.toml"),
        (["run", "--as-of", "yesterday"], "as-of: found 'yesterday', expected a date or a time"),
        (["runs", "a", "b", "c"], "found 3 runs, expected at most two"),
        (["promote", "abc", "--home", "no-such-home"], "no run has made a home there"),
        (["run", "--home", "s3://"], "found no usable bucket and prefix, expected a folder, or s3://"),
        (["doctor", "--home", "s3://b//h"], "found no usable bucket and prefix, expected a folder, or s3://"),
        (["forget", "ann", "--pipeline-root", "artifacts"], "found artifacts, expected s3://BUCKET/PREFIX"),
        (["schedules", "--check", "--apply"], "found several of --check, --apply and --prune, expected at most one"),
        (["submit", "training", "--param", "shop"], "--param: found 'shop', expected NAME=VALUE"),
        (["submit", "training", "--param", "colour=red"], "--param: training has no parameter colour"),
        (["submit", "training"], "--param: training also needs"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(words: list[str], message: str) -> None:
    ended = rankloop(*words)
    assert message in the_one_line(ended, code=2)
    assert ended.stdout == ""


def test_a_bundle_that_there_is_not_is_one_line(home_with_record: Home) -> None:
    for words in (["promote", "/x"], ["promote", "*"], ["recommend", "--user", "ann", "--bundle", "feed"]):
        ended = rankloop(*words, "--home", home_with_record.root)
        assert f"found 0 bundles for {words[-1]!r}, expected one; published are: none" in the_one_line(ended, code=1)


@pytest.mark.parametrize("words", [["promote", "latest"], ["bundle"], ["recommend", "--all-users"], ["forget", "u1"]])
def test_a_home_whose_note_of_its_shop_is_broken_is_one_line(home: Home, words: list[str]) -> None:
    home.root.mkdir(exist_ok=True)
    home.shop_note.write_text("{")
    answer = ["--yes"] if words[0] == "forget" else []
    ended = rankloop(*words, *answer, "--home", home.root)
    assert "shop.json: found what is not the note of a shop" in the_one_line(ended, code=2)


def test_a_run_whose_record_is_broken_is_one_line(run_fake: RunFake, home: Home) -> None:
    run_fake()
    (record,) = home.runs.glob("*/run.json")
    record.write_text(record.read_text()[:-9])
    assert "run.json: found what is not JSON" in the_one_line(rankloop("runs", "--home", home.root), code=2)


def test_runs_are_listed_shown_and_compared(run_fake: RunFake, home: Home) -> None:
    run_fake()
    run_fake()
    newest, oldest = (run.run_id for run in list_runs(home))
    listed = json.loads(rankloop("runs", "--home", home.root, "--json").stdout)
    assert [run["run_id"] for run in listed] == [newest, oldest]
    shown = json.loads(rankloop("runs", "last", "--home", home.root, "--json").stdout)
    assert shown["run"]["run_id"] == newest
    assert shown["data"] == {"raw": "nowhere"}
    compared = json.loads(rankloop("runs", newest, oldest, "--home", home.root, "--json").stdout)
    assert compared["runs"] == [newest, oldest]
    assert compared["equal"]["data.raw"] == "nowhere"
    for words in ([], ["last"], [newest, oldest]):
        ended = rankloop("runs", *words, "--home", home.root)
        assert ended.returncode == 0, ended.stderr
        assert newest in ended.stdout or words == ["last"]


def test_an_unknown_run_is_named_with_those_there_are(run_fake: RunFake, home: Home) -> None:
    run_fake()
    ended = rankloop("runs", "nineteen", "--home", home.root)
    assert ended.returncode == 2
    assert list_runs(home)[0].run_id in ended.stderr
