"""A right experiment is read; a wrong one gets one error that names the key, what was found and what is expected."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.experiments.experiment import Experiment, experiment_file, read_experiment
from components.home.layout import Home

CHAMPION = "[arms.champion]\nshare = {}\n"
CHALLENGER = "[arms.challenger]\nshare = {}\n"
ALONE, HALVES = CHAMPION.format(1), CHAMPION.format(0.5) + CHALLENGER.format(0.5)


def load(folder: Path, toml: str) -> Experiment:
    path = folder / "local.toml"
    path.write_text(toml)
    experiment = read_experiment(path)
    assert experiment is not None
    return experiment


def message(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_experiment(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def test_without_a_file_no_experiment_is_running(tmp_path: Path) -> None:
    assert read_experiment(experiment_file(Home(tmp_path), "local")) is None


def test_the_smallest_experiment(tmp_path: Path) -> None:
    bundle = load(tmp_path, 'name = "aa"\n' + ALONE)
    assert (bundle.shares, bundle.challenger_bundle, bundle.shadow) == ({"champion": 1.0}, None, None)


def test_shares_are_written_by_hand_and_need_not_add_up_to_the_last_bit(tmp_path: Path) -> None:
    arms = CHAMPION.format(0.7) + CHALLENGER.format(0.2) + "[arms.baseline]\nshare = 0.1\n"
    assert set(load(tmp_path, 'name = "x"\n' + arms).shares) == {"champion", "challenger", "baseline"}


@pytest.mark.parametrize(
    ("toml", "bundle"),
    [
        ('shadow = "challenger"\n' + ALONE, "latest"),
        ('shadow = { arm = "challenger", bundle = "sha256:0123456789ab" }\n' + ALONE, "sha256:0123456789ab"),
        (HALVES + 'bundle = "0123456789ab"', "0123456789ab"),
        ('shadow = "challenger"\n' + HALVES + 'bundle = "01234567"', "01234567"),
    ],
)  # fmt: skip
def test_arm_and_shadow_share_one_challenger(tmp_path: Path, toml: str, bundle: str) -> None:
    assert load(tmp_path, 'name = "x"\n' + toml).challenger_bundle == bundle


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", "`name`: found nothing, expected this key; it has no default (and 1 more)"),
        ('name = "x"', "`arms`: found nothing, expected this key"),
        ('name = "x"\n[arms]', "`arms.champion`: found nothing, expected this key"),
        ('name = "x"\n' + CHALLENGER.format(1), "`arms.champion`: found nothing, expected this key"),
        ('name = "Two words"\n' + ALONE, "`name`: found 'Two words', expected"),
        (f'name = "{"x" * 65}"\n' + ALONE, "`name`: found 'xxx"),
        ('name = "x"\n' + CHAMPION.format("0.9"), "found shares that add up to 0.9 (champion 0.9), expected 1"),
        ('name = "x"\n' + CHAMPION.format(0.9) + CHALLENGER.format(0.2), "add up to 1.1 (champion 0.9, challeng"),
        ('name = "x"\n' + ALONE + CHALLENGER.format(0), "`arms.challenger.share`: found 0, expected gr"),
        ('name = "x"\n' + CHAMPION.format(1.5), "`arms.champion.share`: found 1.5, expected less than or equal to 1"),
        ('name = "x"\n' + CHAMPION.format("nan"), "`arms.champion.share`: found nan, expected"),
        ('name = "x"\n' + CHAMPION.format("-inf"), "`arms.champion.share`: found -inf, expected"),
        ('name = "x"\n' + CHAMPION.format("true"), "`arms.champion.share`: found True, expected a valid number"),
        ('name = "x"\n' + CHAMPION.format('"1"'), "`arms.champion.share`: found '1', expected a valid number"),
        ('name = "x"\n[arms]\nchampion = 1', "`arms.champion`: found 1, expected"),
        ('name = "x"\n[arms.champion]\nshair = 1', "found nothing, expected this key"),
        ('name = "x"\n' + ALONE + 'bundle = "latest"', "`arms.champion.bundle`: found an unknown key"),
        ('name = "x"\n' + ALONE + "[arms.treatment]\nshare = 1", "one of baseline, challenger, champion"),
        ('name = "x"\n' + HALVES + 'bundle = "newest"', "found 'newest', expected"),
        ('name = "x"\nshadow = "baseline"\n' + ALONE, "`shadow.arm`: found 'baseline', expected 'challenger'"),
        ('name = "x"\nshadow = 1\n' + ALONE, "`shadow`: found 1, expected"),
        ('name = "x"\nshadows = 1\n' + ALONE, "`shadows`: found an unknown key, expected `shadow`?"),
        (
            'name = "x"\nshadow = { arm = "challenger", bundle = "latest" }\n' + HALVES,
            "shadow.bundle: found one beside the challenger's arm, expected none",
        ),
        ("name = ", "this is not TOML: "),
        ("a = " + "[" * 5000, "this is not TOML: "),
        ("#" * 70_000, "found more than 65,536 bytes, expected an experiment of a few lines"),
    ],
)  # fmt: skip
def test_a_wrong_file_gets_one_clear_error(tmp_path: Path, toml: str, said: str) -> None:
    path = tmp_path / "local.toml"
    path.write_text(toml)
    assert said in message(path)


def test_a_file_that_is_not_text_gets_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "local.toml"
    path.write_bytes(b'name = "\xff"')
    assert "this is not TOML: " in message(path)


def test_a_folder_in_its_place_gets_one_clear_error(tmp_path: Path) -> None:
    assert "the experiment cannot be read" in message(tmp_path)


@pytest.mark.parametrize("environment", ["", "../local", "a b", "a/b", "é"])
def test_a_name_that_no_environment_can_have_is_refused(tmp_path: Path, environment: str) -> None:
    with pytest.raises(ConfigurationError, match="expected ASCII letters, digits, - and _"):
        experiment_file(Home(tmp_path), environment)
