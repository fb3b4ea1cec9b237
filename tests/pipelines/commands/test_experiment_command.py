"""``rankloop experiment`` on homes whose service answered made-up users."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from components.experiments.experiment import Experiment, experiment_file, read_experiment
from components.feedback.segment_sink import journal_sink
from components.feedback.segments.records import ServedEvent, ServedList
from components.home.disk.durable import write_durably
from components.home.layout import Home
from components.ranking_service.live.arms import arm_of, shadow_of
from pipelines.commands.experiment import EXAMPLE
from tests.pipelines.homes.tiny_shop import rankloop, the_one_line

pytestmark = pytest.mark.slow(seconds=30)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALVES = 'name = "halves"\nshadow = "challenger"\n[arms.champion]\nshare = 0.5\n[arms.challenger]\nshare = 0.5\n'
LIKED = {"champion": 0.1, "challenger": 0.3, "baseline": 0.1}
ITEMS = tuple("abcde")
Change = Callable[[ServedList], ServedList | None]


@pytest.fixture
def home(tmp_path: Path, shop_file: Path) -> Home:
    found = Home(tmp_path / "home")
    write_durably(found.shop_note, json.dumps({"shop": "tiny", "shop_file": str(shop_file)}).encode())
    return found


def write(home: Home, toml: str) -> Experiment:
    path = experiment_file(home, "local")
    path.parent.mkdir(exist_ok=True)
    path.write_text(toml)
    experiment = read_experiment(path)
    assert experiment is not None
    return experiment


def lists_of(experiment: Experiment, users: int) -> Iterator[ServedList]:
    """Two lists of each user, a day apart."""
    for number in range(2 * users):
        user, request = f"user-{number // 2}", f"request-{number}"
        arm = arm_of(experiment, user)
        shadow = shadow_of(experiment, request, arm)
        at = NOON + timedelta(days=number % 2, seconds=number)
        yield ServedList(
            request_id=request,
            event_time=at,
            logged_at=at,
            user_id=user,
            bundle=f"sha256:{arm}",
            arm=arm,
            experiment=experiment.name,
            item_ids=ITEMS,
            scores=np.linspace(1, 0, len(ITEMS), dtype=np.float32),
            propensities=np.ones(len(ITEMS)),
            features=np.zeros((len(ITEMS), 2), dtype=np.float32),
            feature_list="f",
            shadow_arm=shadow,
            shadow_item_ids=ITEMS[::-1] if shadow else None,
            shadow_scores=np.linspace(1, 0, len(ITEMS), dtype=np.float32) if shadow else None,
        )


def clicks_on(served: ServedList, random: np.random.Generator) -> Iterator[ServedEvent]:
    """A click on the second item as often as the arm is liked, and a purchase after each other click."""
    if random.random() < LIKED[served.arm]:
        at = served.event_time + timedelta(minutes=5)
        named = served.request_id if random.random() < 0.5 else None
        click = ServedEvent(f"c-{served.request_id}", at, at, "click", served.user_id, "b", request_id=named)
        yield click
        if random.random() < 0.5:
            yield replace(click, event_id=f"p-{served.request_id}", event_type="purchase", quantity=1.0, price=2.0)


def answer(home: Home, experiment: Experiment, users: int = 500, change: Change = lambda served: served) -> None:
    """Log what a service would, which is started twice."""
    random = np.random.default_rng(4)
    served = [found for one in lists_of(experiment, users) if (found := change(one))]
    for part in (served[: len(served) // 2], served[len(served) // 2 :]):
        with journal_sink(home.feedback) as log:
            for one in part:
                assert log.show(one)
            asyncio.run(log.take([event for one in part for event in clicks_on(one, random)]))


def readout(home: Home, code: int = 0) -> dict:
    ended = rankloop("experiment", "--home", home.root, "--json")
    assert (ended.returncode, ended.stderr) == (code, "")
    document: dict = json.loads(ended.stdout)
    return document


def test_a_lift_is_read_out_with_its_interval(home: Home) -> None:
    experiment = write(home, HALVES)
    answer(home, experiment)
    report = readout(home)
    assert (report["experiment"], report["lists"], report["users"], report["horizon_days"]) == ("halves", 1000, 500, 7)
    assert report["sample_ratio"]["mismatch"] is False
    champion, challenger = report["arms"]["champion"], report["arms"]["challenger"]
    assert champion["users"] + challenger["users"] == 500
    assert challenger["bundles"] == ["sha256:challenger"]
    assert 0.3 < challenger["click_through_rate"]["value"] < 0.4  # a nameless click counts for the list before too
    assert challenger["mean_reciprocal_rank"]["value"] == challenger["click_through_rate"]["value"] / 2
    lift = challenger["lift"]["click_through_rate"]
    assert (lift["sign"], lift["difference_ci95"][0] < 0.2 < lift["difference_ci95"][1]) == ("higher", True)
    assert champion["lift"] == {}
    shadow = report["shadow"]
    assert (shadow["arm"], shadow["lists"], shadow["overlap"]["value"]) == ("challenger", champion["lists"], 1.0)
    assert (shadow["rank_correlation"]["value"], shadow["lower"]["value"]) == (-1.0, 1.0)
    assert any(
        re.match(r"challenger: click-through rate is higher than the champion's: \+\d", one)
        for one in report["reasons"]
    )
    assert any("1,000 of 1,000 lists are younger than 7 days" in one for one in report["reasons"])


def test_the_readout_in_words_shows_every_arm_and_every_reason(home: Home) -> None:
    experiment = write(home, EXAMPLE)
    answer(home, experiment, users=300)
    ended = rankloop("experiment", "--home", home.root, "--days", "1")
    assert ended.returncode == 0, ended.stderr
    said = " ".join(ended.stdout.split())
    assert all(arm in said for arm in experiment.shares)
    assert "challenger: too little to tell: found " in said
    assert "shadow challenger: " in said
    assert "the users are spread as the shares promise" in said


def test_lists_that_fell_back_are_told_apart(home: Home) -> None:
    experiment = write(home, HALVES)

    def fall_back(served: ServedList) -> ServedList:
        fails = served.arm == "challenger" and served.request_id.endswith(("1", "3", "5"))
        return replace(served, fallback="store_unavailable") if fails else served

    answer(home, experiment, change=fall_back)
    report = readout(home)
    challenger = report["arms"]["challenger"]
    apart = challenger["fell_back"]
    assert apart["fallbacks"] == {"store_unavailable": apart["lists"]}
    assert challenger["fallback_share"]["value"] == apart["lists"] / challenger["lists"]
    assert 0.2 < apart["click_through_rate"] < 0.4
    assert any("challenger fell back more often than the champion" in one for one in report["reasons"])


def test_an_arm_that_loses_users_is_an_alarm(home: Home) -> None:
    experiment = write(home, HALVES)
    answer(home, experiment, change=lambda one: None if one.arm == "challenger" and one.user_id.endswith("7") else one)
    assert readout(home)["sample_ratio"]["mismatch"] is False  # a tenth of 250 users is within chance
    answer(
        home, write(home, HALVES.replace("halves", "lossy")), change=lambda one: one if one.arm == "champion" else None
    )
    report = readout(home, code=3)
    assert report["sample_ratio"]["mismatch"] is True
    assert report["reasons"][0].startswith("THE EXPERIMENT CANNOT BE TRUSTED: found users champion ")
    assert not any("higher than" in one for one in report["reasons"])
    assert rankloop("experiment", "--home", home.root).returncode == 3


def test_users_who_saw_several_arms_are_left_out_and_said(home: Home) -> None:
    experiment = write(home, HALVES)
    moved = {"request-0": "baseline", "request-1": "champion"}
    answer(home, experiment, change=lambda one: replace(one, arm=moved.get(one.request_id, one.arm)))
    report = readout(home)
    assert (report["users"], report["users_of_several_arms"]) == (500, 1)
    assert sum(arm["users"] for arm in report["arms"].values()) == 499
    assert any(one.startswith("1 users saw more than one arm") for one in report["reasons"])
    assert any(one.startswith("baseline was shown, but the file gives it no share") for one in report["reasons"])


@pytest.mark.parametrize(
    ("bundles", "said"),
    [
        (("sha256:same", "sha256:same"), "challenger was ranked by the champion's bundle"),
        (("sha256:old", "sha256:new"), "challenger was ranked by 2 bundles, one after another"),
    ],
)
def test_arms_of_equal_or_changing_bundles_are_said(home: Home, bundles: tuple[str, str], said: str) -> None:
    experiment = write(home, HALVES)
    answer(home, experiment, users=20, change=lambda one: replace(one, bundle=bundles[one.request_id[-1] in "13579"]))
    assert any(reason.startswith(said) for reason in readout(home)["reasons"])


def test_other_experiments_of_the_log_do_not_count(home: Home) -> None:
    answer(home, write(home, HALVES), users=20)
    write(home, HALVES.replace("halves", "others"))
    report = readout(home)
    assert (report["lists"], report["arms"]["champion"]["users"], report["shadow"]) == (0, 0, None)
    assert report["reasons"] == ["nothing was answered under the experiment others yet; there is nothing to tell"]
    assert rankloop("experiment", "--home", home.root).returncode == 0


def test_a_list_that_was_logged_twice_counts_once(home: Home) -> None:
    experiment = write(home, HALVES)
    answer(home, experiment, users=20)
    answer(home, experiment, users=20)
    assert readout(home)["lists"] == 40


def test_without_an_experiment_one_line_says_what_to_write(home: Home) -> None:
    line = the_one_line(rankloop("experiment", "--home", home.root), code=2)
    assert f"{home.root}/experiments/local.toml: found no experiment, expected a file that gives its `name`" in line
    assert "`rankloop experiment --help` shows one" in line


@pytest.mark.parametrize(
    ("toml", "said"),
    [("name = 3", "`name`: found 3"), ("[", "this is not TOML"), (HALVES.replace("0.5", "0.4"), "add up to 0.8")],
)
def test_a_broken_file_is_one_line(home: Home, toml: str, said: str) -> None:
    path = experiment_file(home, "local")
    path.parent.mkdir()
    path.write_text(toml)
    assert said in the_one_line(rankloop("experiment", "--home", home.root), code=2)


def test_how_long_events_count_is_asked_where_the_shop_file_has_gone(home: Home, shop_file: Path) -> None:
    answer(home, write(home, HALVES), users=20)
    moved = shop_file.rename(shop_file.with_name("moved.toml"))
    assert "name one with --shop" in the_one_line(rankloop("experiment", "--home", home.root), code=2)
    for words in (["--shop", str(moved)], ["--days", "3"]):
        assert rankloop("experiment", "--home", home.root, *words).returncode == 0


def test_an_environment_that_cannot_be_is_one_line(home: Home) -> None:
    assert "expected ASCII letters" in the_one_line(
        rankloop("experiment", "--home", home.root, "--env", "../x"), code=2
    )


def test_the_help_shows_an_experiment_that_can_be_copied(home: Home) -> None:
    shown = rankloop("experiment", "--help").stdout
    copied = "\n".join(line.strip() for line in shown[shown.index('  name = "new-features"') :].splitlines())
    found = write(home, copied)
    assert found == write(home, EXAMPLE)
    assert set(found.shares) == {"champion", "challenger", "baseline"}
