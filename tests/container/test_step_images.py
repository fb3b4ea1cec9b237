"""The images of steps: what is in them, and both pipelines in them by KFP's own runner."""

import os
from pathlib import Path

import pytest

from components.home.layout import ONLINE_VARIABLE, Home
from components.home.runs.life import close_killed_steps
from components.home.runs.records import list_runs, new_run_id, read_run
from components.home.storage.documents import read_document
from components.home.storage.locations import BucketPath
from pipelines.kubernetes import SECRETS, VARIABLES
from pipelines.runs.local_run import step_environment
from pipelines.upload import moved_shop_file, plan_uploads
from tests.container.docker_engine import Docker
from tests.container.docker_runner import DockerRun, run_in_docker
from tests.container.images import ROOT, Images
from tests.container.inside import ANYONE, SCRATCH, check_bytecode, check_sbom, import_modules
from tests.pipelines.homes.home_content import content_of, content_of_folder
from tests.pipelines.homes.tiny_shop import WITH_PAGE, LivingHome
from tests.servers import redis_server
from tests.shop_files import TINY_SHOP

pytestmark = pytest.mark.slow(seconds=240)

SETTINGS = ("PYTHONHASHSEED", "PYTHONUTF8", "DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "FEAST_USAGE", "OMP_WAIT_POLICY")
STEPS = sorted(file.parent.name for file in ROOT.glob("components/*/component.py"))


@pytest.fixture(scope="module")
def steps(images: Images) -> dict[str, str]:
    """The images of steps, by the name of their target."""
    return {target: images.build(target) for target in ("steps", "monitoring")}


def test_the_images_hold_every_step_bytecode_and_a_list_of_their_packages(
    docker: Docker, steps: dict[str, str]
) -> None:
    for image in steps.values():
        import_modules(docker, image, "kfp.dsl.executor_main", *(f"components.{step}.component" for step in STEPS))
        check_sbom(docker, image)
    check_bytecode(docker, steps["monitoring"], "kfp", "evidently", "plotly", "components.detect_drift.component")


def test_the_images_keep_to_their_size_and_share_the_packages_of_steps(
    docker: Docker, images: Images, steps: dict[str, str]
) -> None:
    assert docker.inspect("image", steps["steps"])["Size"] <= 1.4e9
    ours, other = (images.layers(steps[target]) for target in ("steps", "monitoring"))
    assert ours[:-1] == other[: len(ours) - 1]


def test_steps_in_containers_run_with_the_settings_of_a_run_on_this_machine(
    docker: Docker, steps: dict[str, str], tmp_path: Path
) -> None:
    in_image = dict(line.split("=", 1) for line in docker.inspect("image", steps["steps"])["Config"]["Env"])
    here = step_environment(tmp_path)
    assert {name: in_image[name] for name in SETTINGS} == {name: here[name] for name in SETTINGS}
    assert {name for name in here if name.endswith("_THREADS")} <= set(in_image)


GREEDY = """
import time
from components.home.runs.step import first_step
with first_step("ingest_events", "/work/home", "r1", "/work/shop.toml", "training", "latest", "local", "7", {}) as step:
    held = [bytearray(b"x") * (200 << 20)]
    while not (peak := step.folder / "steps" / "ingest_events.peak").exists() or float(peak.read_text()) < 200:
        time.sleep(0.1)
    while True:
        held.append(bytearray(b"x") * (1 << 20))
"""


def test_a_step_that_outgrows_its_container_is_named_with_its_limit_and_its_peak(
    docker: Docker, steps: dict[str, str], open_folder: Path
) -> None:
    work = open_folder / "greedy"
    work.mkdir()
    work.chmod(0o777)
    (work / "shop.toml").write_text(TINY_SHOP)
    options = ("--memory", "400m", "--memory-swap", "400m", "--network", "none", "--volume", f"{work}:/work")
    container = docker("create", *options, *ANYONE, *SCRATCH, "--entrypoint", "python", steps["steps"], "-c", GREEDY)
    docker("start", container)
    assert docker("wait", container) == "137"
    assert docker.inspect("container", container)["State"]["OOMKilled"]
    docker("rm", container)
    home = Home(work / "home")
    (record,) = close_killed_steps(home, read_run(home, "r1")).values()
    assert record.peak_mb > 200
    assert f"its last measured peak was {record.peak_mb:.0f} MB, its limit 400 MB;" in (record.error or "")


def test_both_pipelines_come_to_the_same_in_their_images_although_containers_are_killed(
    docker: Docker,
    steps: dict[str, str],
    ranker_home: LivingHome,
    bucket: BucketPath,
    open_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uploads = plan_uploads(ranker_home.shop_file, bucket / "data")
    for upload in uploads:
        upload.run()
    mounted = open_folder / "mounted"
    mounted.mkdir()
    shop_file = moved_shop_file(ranker_home.shop_file, uploads)
    (mounted / "shop.toml").write_text(shop_file)
    home = Home(bucket / "home")

    def run(pipeline: str, *killed_steps: str) -> list[str]:
        variables = {name: os.environ[name] for name in (*VARIABLES, *SECRETS) if name in os.environ}
        shop = "/etc/rankloop/shop.toml"
        arguments = {"shop": shop, "home": str(home.root), "run_id": new_run_id(home), "fingerprint": {"code": "same"}}
        folder = str(open_folder / pipeline)
        job = DockerRun(pipeline, arguments, steps, str(mounted), folder, variables, list(killed_steps))
        return run_in_docker(job, docker.host)

    with redis_server(tmp_path) as url:
        monkeypatch.setenv(ONLINE_VARIABLE, url)
        assert run("training", "ingest_events", "train_ranker", "publish_bundle")
        assert content_of(home) == content_of_folder(ranker_home.home)
        (mounted / "shop.toml").write_text(shop_file.replace("page_columns = 0", WITH_PAGE))
        assert run("monitoring") == []
        monitored, trained = list_runs(home)
        assert (monitored.pipeline, monitored.state, trained.state) == ("monitoring", "done", "done")
        assert read_document(home.run(monitored.run_id) / "evidently.html")
