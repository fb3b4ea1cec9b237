"""The end of an acceptance: what it noted."""

import pytest

from tests.acceptance.journal import LINES


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> None:
    """Keep the variables that name the cluster."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was noted."""
    terminalreporter.section("what this cluster did")
    for line in LINES:
        terminalreporter.write_line(line)
