"""The file of schedules: what recurs on Kubeflow, in TOML."""

import tomllib
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.contracts.errors import ConfigurationError
from components.contracts.steps.declared import PIPELINES
from components.contracts.urls import fill_variables
from pipelines.schedules.cron import Cron

SCHEDULES_FILE = Path(__file__).parents[2] / "manifests" / "base" / "schedules" / "schedules.toml"
OWNER = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
UTC = ZoneInfo("UTC")


def _pipeline(name: str) -> str:
    if name not in PIPELINES:
        raise ValueError(f"found {name!r}, expected {' or '.join(PIPELINES)}")
    return name


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"found {name!r}, expected a time zone such as Europe/Berlin") from error
    return name


def _cron(expression: str) -> str:
    return Cron(expression, UTC).expression


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Schedule(_Section):
    """A recurring run, as the file says it."""

    name: str = Field(min_length=1, max_length=100)
    pipeline: Annotated[str, AfterValidator(_pipeline)]
    cron: Annotated[str, AfterValidator(_cron)]  # minute hour day month weekday
    parameters: dict[str, str] = {}
    enabled: bool = True
    catch_up: bool = False  # after an outage: every tick that was missed, or the latest only
    service_account: str | None = None  # None: KFP's default


class ScheduleFile(_Section):
    """All schedules of one owner."""

    owner: str = Field("rankloop", pattern=f"^{OWNER}$")
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"  # that of KFP's scheduled-workflow controller
    experiment: str = "rankloop"
    schedules: tuple[Schedule, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ScheduleFile":
        names = [schedule.name for schedule in self.schedules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"found two schedules of the name {twice[0]!r}, expected each name once")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which cron expressions are read."""
        return ZoneInfo(self.time_zone)


def read_schedules(file: Path) -> ScheduleFile:
    """Read a file of schedules; ``${NAME}`` in a parameter is an environment variable.

    Raises:
        ConfigurationError: it cannot be read, or one of its keys is wrong.
    """
    try:
        document = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}); name another --file") from error
    except ValueError as error:
        raise ConfigurationError(f"{file}: is no TOML: {error}") from error
    try:
        return _filled(file, ScheduleFile.model_validate(document))
    except ValidationError as error:
        raise ConfigurationError(f"{file}: {_first(error, document)}") from error


def _filled(file: Path, schedules: ScheduleFile) -> ScheduleFile:
    def fill(schedule: Schedule) -> Schedule:
        where = f"{file}: {schedule.name}: parameters"
        filled = {name: fill_variables(f"{where}.{name}", text) for name, text in schedule.parameters.items()}
        return schedule.model_copy(update={"parameters": filled})

    return schedules.model_copy(update={"schedules": tuple(fill(schedule) for schedule in schedules.schedules)})


def _first(error: ValidationError, document: dict[str, Any]) -> str:
    """Say the first thing that is wrong, under the schedule's own name."""
    wrong = error.errors()[0]
    path = list(wrong["loc"])
    if path[:1] == ["schedules"] and len(path) > 1:
        schedule = document["schedules"][path[1]]
        named = schedule.get("name") if isinstance(schedule, dict) else None
        path[:2] = [repr(named) if isinstance(named, str) else f"schedule {int(path[1]) + 1}"]
    message = wrong["msg"].removeprefix("Value error, ")
    return ": ".join([*map(str, path), message[:1].lower() + message[1:]])
