"""Show the steps of a running run on standard error: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from components.home.runs.step_records import StepRecord
from pipelines.runs.local_run import Show

SIGNS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "bold cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
}


@contextmanager
def shown_steps(names: tuple[str, ...], console: Console, quiet: bool = False) -> Iterator[Show]:
    """Yield the function that shows step records; it may be called as often as one likes."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=8, transient=False) as live:
            yield lambda records: live.update(step_table(names, records))
    else:
        yield _PlainLines(names, console)


def step_table(names: tuple[str, ...], records: dict[str, StepRecord]) -> Table:
    """Lay out one row a step: its state, what it is doing, rows in and out, seconds."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("step", no_wrap=True, min_width=max(map(len, names)))
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    for title in ("rows in", "rows out", "seconds"):
        table.add_column(title, justify="right")
    for name in names:
        record = records.get(name) or StepRecord(name, state="waiting")
        sign, style = SIGNS[record.state]
        words = record.error or (record.progress if record.state == "running" else "")
        table.add_row(
            Text(sign, style),
            Text(name, style if record.state == "running" else ""),
            Text(words, "dim"),
            *_numbers(record),
        )
    return table


def _numbers(record: StepRecord) -> tuple[str, str, str]:
    seconds = time.time() - record.started if record.state == "running" else record.seconds
    return _count(record.rows_in), _count(record.rows_out), f"{seconds:.1f}" if record.started else ""


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


class _PlainLines:
    """Prints a line when a step starts and a line when it ends."""

    def __init__(self, names: tuple[str, ...], console: Console) -> None:
        self._console = console
        self._width = max(map(len, names))
        self._shown: dict[str, str] = {}

    def __call__(self, records: dict[str, StepRecord]) -> None:
        for name, record in records.items():
            if self._shown.get(name) != record.state:
                self._shown[name] = record.state
                self._console.print(self._line(record), soft_wrap=True, highlight=False, markup=False)

    def _line(self, record: StepRecord) -> str:
        line = f"{record.name:<{self._width}}  {record.state}"
        if record.state == "running":
            return line
        rows_in, rows_out, seconds = _numbers(record)
        rows = f"  {rows_in or '-'} → {rows_out or '-'} rows" if rows_in or rows_out else ""
        return f"{line}  {seconds} s{rows}" + (f"  {record.error}" if record.error else "")
