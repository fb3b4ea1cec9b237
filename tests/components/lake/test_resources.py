"""What a process may use: limits of control groups as the kernel writes them, in folders of the test."""

import os
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home import control_groups
from components.lake import resources
from components.lake.duckdb_workspace import open_duckdb
from components.lake.session import duckdb_session

MIB = 2**20
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a system's control groups, which are empty."""
    monkeypatch.setattr(control_groups, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "OWN_GROUP", tmp_path / "own")
    for name in (resources.MEMORY_VARIABLE, resources.THREADS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    return tmp_path / "cgroup"


def limited(groups: Path, own: str, limits: dict[str, str]) -> None:
    """Put a process into a group, and write limits, by their paths among the groups."""
    groups.parent.joinpath("own").write_text(own)
    for path, limit in limits.items():
        (groups / path).parent.mkdir(parents=True, exist_ok=True)
        (groups / path).write_text(f"{limit}\n")


def test_without_limits_it_is_the_machines(groups: Path) -> None:
    assert (resources.usable_memory(), resources.usable_processors()) == (MACHINE, 8)
    limited(groups, "0::/\n", {"memory.max": "max", "cpu.max": "max 100000"})
    assert (resources.usable_memory(), resources.usable_processors()) == (MACHINE, 8)


def test_the_smallest_limit_of_a_group_and_those_above_it_holds(groups: Path) -> None:
    memory = {"pods/memory.max": str(600 * MIB), "pods/one/memory.max": str(900 * MIB)}
    limited(groups, "0::/pods/one\n", memory | {"pods/cpu.max": "max 100000", "pods/one/cpu.max": "150000 100000"})
    assert (resources.usable_memory(), resources.usable_processors()) == (600 * MIB, 2)


def test_groups_of_version_1_are_read_by_their_controllers(groups: Path) -> None:
    memory = {"memory/pod/memory.limit_in_bytes": str(700 * MIB)}
    quota = {"cpu,cpuacct/pod/cpu.cfs_quota_us": "100000", "cpu,cpuacct/pod/cpu.cfs_period_us": "100000"}
    limited(groups, "4:memory:/pod\n2:cpu,cpuacct:/pod\n0::/\n", memory | quota)
    assert (resources.usable_memory(), resources.usable_processors()) == (700 * MIB, 1)
    (groups / "cpu").symlink_to("cpu,cpuacct")  # the kernel names controllers in an order of its own
    limited(groups, "2:cpuacct,cpu:/pod\n", {})
    assert resources.usable_processors() == 1


def test_a_small_container_is_given_half_of_what_it_has(groups: Path) -> None:
    limited(groups, "0::/\n", {"memory.max": str(256 * MIB)})
    assert resources.engine_memory() == 128 * MIB


def test_a_system_without_affinity_counts_its_processors(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert resources.usable_processors() == 6


def test_a_group_without_a_quota_has_the_machines_processors(groups: Path) -> None:
    limited(groups, "2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"})
    assert resources.usable_processors() == 8


@pytest.mark.parametrize(("asked", "size"), [("6GB", 6e9), ("1.5 gb", 1.5e9), ("800MB", 8e8), ("1GiB", 2**30)])
def test_an_engine_takes_what_is_asked(groups: Path, monkeypatch: pytest.MonkeyPatch, asked: str, size: float) -> None:
    monkeypatch.setenv(resources.MEMORY_VARIABLE, asked)
    assert resources.engine_memory() == int(size)


@pytest.mark.parametrize(
    ("variable", "asked"),
    [
        (resources.MEMORY_VARIABLE, "much"),
        (resources.MEMORY_VARIABLE, "1.2.3GB"),
        (resources.MEMORY_VARIABLE, "6 bananas"),
        (resources.MEMORY_VARIABLE, "700000000"),
        (resources.MEMORY_VARIABLE, "-5"),
        (resources.MEMORY_VARIABLE, "0GB"),
        (resources.MEMORY_VARIABLE, "9" * 400 + "GB"),
        (resources.THREADS_VARIABLE, "0"),
        (resources.THREADS_VARIABLE, "-2"),
        (resources.THREADS_VARIABLE, "two"),
        (resources.THREADS_VARIABLE, "9" * 5000),
    ],
)
def test_what_is_no_size_or_number_is_an_error_that_names_the_variable(
    groups: Path, monkeypatch: pytest.MonkeyPatch, variable: str, asked: str
) -> None:
    monkeypatch.setenv(variable, asked)
    read = resources.engine_memory if variable == resources.MEMORY_VARIABLE else resources.engine_threads
    with pytest.raises(ConfigurationError, match=f"{variable}: found '{asked}', expected"):
        read()


def test_engines_keep_to_it_and_never_ask_the_network(groups: Path) -> None:
    limited(groups, "0::/\n", {"memory.max": str(2048 * MIB), "cpu.max": "200000 100000"})
    names = ("memory_limit", "threads", "autoinstall_known_extensions")
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    with duckdb_session() as session, open_duckdb() as workspace:
        found = [session.execute(query).fetchone(), workspace.backend.con.execute(query).fetchone()]
    assert found == [("1.0 GiB", 2, False)] * 2
