"""Other comments, docstrings and formatting everywhere: what was made before is valid, and nothing is made again."""

import ast
import json
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.home.runs.records import list_runs
from tests.pipelines.homes.served_home import serving
from tests.pipelines.homes.tiny_shop import LivingHome
from tests.pipelines.homes.verdicts import let_through

pytestmark = pytest.mark.slow(seconds=70)

ROOT = Path(__file__).parents[3]
PACKAGES = ("components", "feature_repo", "pipelines")


@dataclass(frozen=True)
class TwoRankers:
    """A home with two trained bundles; the second, whose lists are shorter, is live. And what it recommended."""

    living: LivingHome
    first: str
    second: str
    recommended: object


@pytest.fixture(scope="module")
def before(ranker_home: LivingHome) -> TwoRankers:
    living = ranker_home
    first = _promoted(living)
    living.shop_file.write_text(f"k = 5\n{living.shop_file.read_text()}")
    living.document = living.run()
    second = _promoted(living)
    return TwoRankers(living, first, second, living.answer("recommend", "--all-users"))


def _promoted(living: LivingHome) -> str:
    """Promote the newest bundle, although the gate refuses a ranker of 60 users."""
    digest = living.document["bundle"]["digest"]
    let_through(living.home, digest)
    assert living.answer("bundle", digest)["manifest"]["kind"] == "ranker"
    assert living.answer("promote", digest)["after"] == digest
    return str(digest)


@pytest.fixture(scope="module")
def reformatted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which each module has other docstrings, comments and formatting."""
    copy = tmp_path_factory.mktemp("reformatted")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (copy / package).rglob("*.py"):
            tree = ast.parse(path.read_bytes())
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is not ...:
                    node.value.value = f"In other words: {node.value.value}"
            path.write_text(f"# another comment\n\n\n{ast.unparse(tree)}\n# and one more\n")
    return copy


def test_the_same_bundles_serve_are_promoted_and_rolled_back_and_nothing_is_made_again(
    before: TwoRankers, reformatted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = before.living
    code = list_runs(living.home)[0].fingerprint
    examples = Path(living.records()["build_training_set"].handles["examples"].uri) / "examples.json"
    built = examples.stat()
    monkeypatch.setenv("PYTHONPATH", str(reformatted))

    assert "Nothing is new" in living.rankloop("run", "--shop", living.shop_file).stderr
    assert living.answer("recommend", "--all-users") == before.recommended
    assert living.answer("rollback")["after"] == before.first
    assert living.answer("promote", before.second)["after"] == before.second
    with serving(living) as server:
        body = json.dumps({"user_id": "u0001"}).encode()
        asked = urllib.request.Request(f"{server.address}/v1/recommend", body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked) as response:
            answer = json.load(response)
    assert (answer["bundle"], answer["fallback"]) == (before.second, None)

    again = living.answer("run", "--shop", living.shop_file, "--again")
    assert again["bundle"]["digest"] == before.second
    records = living.records()
    assert records["build_features"].facts["computed"] == []
    assert records["materialize_features"].rows_out == 0
    assert Path(records["build_training_set"].handles["examples"].uri) == examples.parent
    assert (examples.stat().st_ino, examples.stat().st_mtime_ns) == (built.st_ino, built.st_mtime_ns)
    ran = list_runs(living.home)[0].fingerprint
    assert ran["code"] == code["code"]
    assert ran["files"] != code["files"], "the other code did not run"
