"""A setting of the service: a field of a frozen dataclass that says which variable it is read from, and how."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from components.contracts.errors import ConfigurationError

Section = TypeVar("Section")


@dataclass(frozen=True)
class Setting:
    """A variable: its default as text (None: it must be set), how a text is read, and what it means, in Markdown."""

    variable: str
    default: str | None
    parse: Callable[[str, str], Any]
    meaning: str

    def read(self, variables: Mapping[str, str]) -> Any:
        """Read the value; an empty variable counts as one that is not set.

        Raises:
            ConfigurationError: it is not set and must be, or its text is none of those expected.
        """
        text = variables.get(self.variable) or self.default
        if text is None:
            raise ConfigurationError(
                f"{self.variable} is not set; expected the folder of a home: `rankloop serve --home DIR` sets it"
            )
        return self.parse(self.variable, text)


def setting(variable: str, default: str | None, parse: Callable[[str, str], Any], meaning: str) -> Any:
    """Declare a field of a section."""
    metadata = {"setting": Setting(variable, default, parse, meaning)}
    return field(metadata=metadata) if default is None else field(default=parse(variable, default), metadata=metadata)


def read_section(section: type[Section], variables: Mapping[str, str]) -> Section:
    """Read a section's settings, and the sections that it holds.

    Raises:
        ConfigurationError: a variable must be set and is not, or its text is none of those expected.
    """
    return section(**{each.name: _value(each, variables) for each in fields(section)})  # type: ignore[arg-type]


def _value(each: Field[Any], variables: Mapping[str, str]) -> Any:
    """Read the setting that a field declares, or the section that it holds."""
    if "setting" in each.metadata:
        return each.metadata["setting"].read(variables)
    return read_section(type(each.default), variables)


def declared_settings(section: type) -> Iterator[Setting]:
    """Yield every setting of a section and of those below it."""
    for each in fields(section):
        if "setting" in each.metadata:
            yield each.metadata["setting"]
        else:
            yield from declared_settings(type(each.default))


def positive_number(variable: str, text: str) -> float:
    """Read a finite number above 0."""
    number = number_in(text)
    if not 0 < number < float("inf"):
        raise ConfigurationError(f"{variable}: found {text!r}, expected a positive number")
    return number


def whole_number(variable: str, text: str) -> int:
    """Read a whole number above 0."""
    number = positive_number(variable, text)
    if number != int(number):
        raise ConfigurationError(f"{variable}: found {text!r}, expected a whole number above 0")
    return int(number)


def at_least_one(variable: str, text: str) -> float:
    """Read a positive number; one below 1 counts as 1."""
    return max(1.0, positive_number(variable, text))


def milliseconds(variable: str, text: str) -> float:
    """Read milliseconds above 0, as seconds."""
    return positive_number(variable, text) / 1000


def number_in(text: str) -> float:
    """Read a number; NaN for a text that is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
