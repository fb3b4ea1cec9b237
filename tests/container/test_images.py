"""The image of the service: built by a real engine from the one recipe, run as a cluster would run it."""

import json
import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipelines.registry.client import Registry
from pipelines.registry.signing import sign_image
from pipelines.registry.verification import verify_image
from tests.components.bundles.signing.signed_bundles import key_in
from tests.container.asking import is_ready, recommend
from tests.container.docker_engine import Docker
from tests.container.images import RECIPE, REVISION, Images
from tests.container.inside import ANYONE, SCRATCH, USER, check_bytecode, check_sbom, import_modules, times_of_files
from tests.pipelines.homes.tiny_shop import LivingHome, command
from tests.servers import docker_registry
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=150)

OWNER = USER  # of the home, on this machine and in the container
LIMITS = (*SCRATCH, "--memory", "1g", "--pids-limit", "64")
INSTALLATION = "sh install_packages --compile-bytecode --extra serving"  # the recipe's
WRITTEN = ("online", "feedback")  # folders of a home that the service writes to


@pytest.fixture(scope="module")
def serving(images: Images) -> str:
    return images.build("serving")


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    """A home whose owner has no privileges."""
    home = baseline_home.home.root
    for name in WRITTEN:
        (home / name).mkdir(exist_ok=True)
    for place in (home, *home.rglob("*")):
        os.chown(place, OWNER, 0)
    return baseline_home


def as_owner(living: LivingHome, *words: str) -> Any:
    """Run a command as the home's owner, who may only read what is root's here, and return its JSON document."""
    rights = ["--reuid", str(OWNER), "--regid", "0", "--clear-groups", "--inh-caps", "+dac_read_search"]
    line = [*command(*words), "--home", str(living.home.root), "--json"]
    ended = subprocess.run(
        ["setpriv", *rights, "--ambient-caps", "+dac_read_search", *line], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def key(living: LivingHome) -> str:
    """A key of the home."""
    return str(as_owner(living, "keys", "add", "container")["key"])


@pytest.fixture
def network(docker: Docker, images: Images) -> Iterator[str]:
    docker("network", "create", images.name)
    yield images.name
    docker("network", "rm", images.name)


@pytest.fixture
def container(docker: Docker, serving: str, network: str, living: LivingHome, key: str) -> Iterator[str]:
    """The service as a cluster runs it, with its home to be read only but for what it writes."""
    home = living.home.root
    mounts = [f"{home}:/home/shop:ro", *(f"{home / folder}:/home/shop/{folder}" for folder in WRITTEN)]
    volumes = [word for mount in mounts for word in ("--volume", mount)]
    options = ("--detach", "--network", network, "--health-interval", "1s", *ANYONE, *LIMITS, *volumes)
    name = docker("run", *options, serving)
    yield name
    docker("rm", "--force", name)


def test_the_service_answers_as_anyone_on_a_read_only_file_system_and_ends_when_told(
    docker: Docker, container: str, network: str, living: LivingHome, key: str
) -> None:
    def found() -> Any:
        return docker.inspect("container", container)

    address = f"http://{found()['NetworkSettings']['Networks'][network]['IPAddress']}:8080"
    until(lambda: is_ready(address), pause=0.1, state=lambda: docker.logs(container))
    batch = living.answer("recommend", "--all-users")
    one, another = batch[0]["user_id"], batch[-1]["user_id"]
    answer = recommend(address, key, one)
    expected = [row["item_id"] for row in batch if row["user_id"] == one]
    assert [item["item_id"] for item in answer["items"]] == expected
    assert (answer["bundle"], answer["fallback"]) == (living.document["bundle"]["digest"], None)
    until(lambda: found()["State"]["Health"]["Status"] == "healthy", pause=0.1, state=lambda: str(found()["State"]))

    other = str(as_owner(living, "keys", "add", "other")["key"])
    until(lambda: recommend(address, other, one) is not None, pause=0.1, state=lambda: docker.logs(container))
    as_owner(living, "keys", "remove", "container")
    until(lambda: recommend(address, key, one) is None, pause=0.1, state=lambda: docker.logs(container))
    receipt = as_owner(living, "forget", one, "--yes")
    assert (receipt["state"], receipt["services"]) == ("done", {"followed": 1, "silent": 0})
    fallbacks = [recommend(address, other, user)["fallback"] for user in (one, another)]
    assert fallbacks == ["unknown_user", None], docker.logs(container)

    docker("stop", "--time", "60", container)
    assert (found()["State"]["ExitCode"], found()["State"]["OOMKilled"]) == (0, False), docker.logs(container)
    assert "Traceback" not in docker.logs(container)
    assert docker("diff", container) in ("", "C /home\nA /home/shop")  # where the home was mounted


def test_without_keys_other_machines_are_not_answered(docker: Docker, serving: str, tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text('{"shop": "tiny", "shop_file": "tiny.toml"}')
    tmp_path.chmod(0o755)
    name = docker("create", "--network", "none", *ANYONE, "--volume", f"{tmp_path}:/home/shop", serving)
    docker("start", name)
    assert docker("wait", name) == "2"
    assert "has no API keys" in docker.logs(name)
    docker("rm", name)


def test_the_serving_image_holds_what_serves_its_bytecode_and_a_list_of_it(docker: Docker, serving: str) -> None:
    assert import_modules(docker, serving, "pipelines.serving", "components.ranking_service.service") == ""
    for heavy in ("kfp", "feast", "evidently"):
        with pytest.raises(AssertionError, match=f"No module named '{heavy}'"):
            import_modules(docker, serving, heavy)
    check_bytecode(docker, serving, "json", "numpy", "bentoml", "components.ranking_service.service")
    check_sbom(docker, serving)
    assert docker.inspect("image", serving)["Size"] <= 650e6


def test_the_pushed_image_is_signed_with_what_it_was_made_of(
    docker: Docker, images: Images, serving: str, tmp_path: Path
) -> None:
    """Of the image, only the two files that say it are pushed: all of it would take half a minute."""
    base, lock = 64 * "b", sha256((images.context / "uv.lock").read_bytes()).hexdigest()
    files = "/opt/rankloop/sbom.cdx.json /opt/rankloop/uv.lock.sha256"
    labels = f"revision={REVISION} org.opencontainers.image.base.name=python@sha256:{base}"
    (images.context / "alone").write_text(
        f"FROM scratch AS serving\nCOPY --from={serving} {files} /opt/rankloop/\n"
        f"LABEL org.opencontainers.image.{labels}\n"
    )
    image = images.build("serving", recipe="alone")
    signer = key_in(tmp_path / "keys")
    with docker_registry(tmp_path) as address:
        name = f"{address}/python-serving"
        docker("tag", image, f"{name}:test")
        docker("push", "--quiet", f"{name}:test")
        pushed = next(each for each in docker.inspect("image", image)["RepoDigests"] if each.startswith(f"{name}@"))
        docker("image", "rm", f"{name}:test")
        assert sign_image(pushed, signer)
        verified = verify_image(Registry(name, anonymous=True), pushed.partition("@")[2], [signer.public])
    assert verified.passed, verified
    provenance, packages = (check.reason for check in verified.checks[1:])
    assert f"made of code {REVISION[:12]}, uv.lock {lock[:12]}, base {base[:12]}" in provenance
    assert int(packages.split()[0]) > 20


def test_a_change_of_code_installs_no_package_anew(images: Images) -> None:
    before = images.layers(images.build("serving"))
    changed = images.context / "components" / "contracts" / "errors.py"
    changed.write_text(f"{changed.read_text()}\nCHANGED = True\n")
    after = images.layers(images.build("serving"))
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_the_same_sources_give_the_same_layers(docker: Docker, images: Images) -> None:
    """Built again without a cache, for speed without the packages, whose files have no time of their own either."""
    recipe = (images.context / RECIPE).read_text()
    assert recipe.count(INSTALLATION) == 1
    (images.context / "small").write_text(recipe.replace(INSTALLATION, "bin/uv venv --quiet /opt/rankloop"))
    serving = images.build("serving")
    base, bytecode, folder, packages, project = images.layers(serving)
    again = images.layers(images.build("serving", "--no-cache", recipe="small"))
    assert again[:3] == [base, bytecode, folder]
    assert again[3] != packages
    assert again[4] == project
    assert times_of_files(docker, serving) == "1000000000.0"
    assert docker.inspect("image", serving)["Config"]["Labels"] == {
        "org.opencontainers.image.revision": REVISION,
        "org.opencontainers.image.base.name": f"{images.name}/base",
    }
