"""BentoML's own tools on the repository, as its users have them: build, the recipe of containerize, serve."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.asking import is_ready, recommend
from tests.container.images import ROOT
from tests.pipelines.homes.tiny_shop import LivingHome
from tests.servers import free_port
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=60)

BENTOML = str(Path(sys.executable).with_name("bentoml"))
REQUIREMENTS = "components/ranking_service/requirements.txt"
EXPORT = "export --locked --no-dev --no-emit-project --no-annotate --no-hashes --extra serving --quiet"


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tools' variables: a store of the test's own, and no reporting."""
    return os.environ | {
        "BENTOML_HOME": str(tmp_path_factory.mktemp("bentoml")),
        "BENTOML_DO_NOT_TRACK": "true",
        "OTEL_SDK_DISABLED": "true",
    }


@pytest.fixture(scope="module")
def bento(variables: dict[str, str]) -> Path:
    built = subprocess.run(
        [BENTOML, "build", "--output", "tag"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    version = built.stdout.strip().removeprefix("__tag__:rankloop:")
    return Path(variables["BENTOML_HOME"], "bentos", "rankloop", version)


def test_the_requirements_are_those_of_the_lock() -> None:
    uv = [sys.executable, "-m", "uv"]
    locked = subprocess.run(
        [*uv, *EXPORT.split(), "--no-header"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = [line for line in (ROOT / REQUIREMENTS).read_text().splitlines() if not line.startswith("#")]
    assert found == locked.splitlines(), f"{REQUIREMENTS} is stale: uv {EXPORT} --output-file {REQUIREMENTS}"


def test_a_bento_is_the_service_its_locked_packages_and_a_recipe_for_an_image(bento: Path) -> None:
    files = {str(file.relative_to(bento / "src")) for file in (bento / "src").rglob("*") if file.is_file()}
    ours = {"components", "feature_repo"}
    assert {name.split("/")[0] for name in files} - ours == {"bentofile.yaml"}
    assert "components/ranking_service/service.py" in files
    assert not [name for name in files if "__pycache__" in name or name.endswith("Dockerfile")]

    packages = (bento / "env" / "python" / "requirements.txt").read_text().splitlines()
    names = [line.partition("==")[0] for line in packages if "==" in line]
    assert [line for line in packages if "==" not in line and not line.startswith("#")] == []
    assert {"xgboost-cpu", "lmdb", "redis"} <= set(names)
    assert not set(names) & {"kfp", "feast", "evidently"}
    recipe = (bento / "env" / "docker" / "Dockerfile").read_text()
    assert "FROM python:3.11-slim" in recipe
    assert "USER bentoml" in recipe
    assert "env/python/requirements.txt" in recipe


def test_a_bento_answers_from_the_home_that_it_is_told(
    bento: Path, variables: dict[str, str], tmp_path: Path, baseline_home: LivingHome
) -> None:
    living = baseline_home
    key = living.answer("keys", "add", "caller")["key"]
    port, log = free_port(), tmp_path / "log"
    words = [BENTOML, "serve", f"rankloop:{bento.name}", "--host", "127.0.0.1", "--port", str(port)]
    environment = variables | {"RANKLOOP_HOME": str(living.home.root)}
    with log.open("w") as output:
        server = subprocess.Popen(
            words, env=environment, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: is_ready(f"http://127.0.0.1:{port}") or server.poll() is not None, pause=0.1, state=log.read_text)
        assert server.poll() is None, log.read_text()
        batch = living.answer("recommend", "--user", "u0000")
        answer = recommend(f"http://127.0.0.1:{port}", key, "u0000")
        assert [item["item_id"] for item in answer["items"]] == [row["item_id"] for row in batch]
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    with pytest.raises(ProcessLookupError):
        os.killpg(server.pid, 0)
