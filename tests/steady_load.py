"""Callers who ask at a steady rate until they are told to stop, and note what became of every request.

Nothing but the standard library, so that a pod runs this file as it is. Every second request has a connection of its
own, as behind a balancer of connections; the others share connections that are kept. Every tenth is a batch of events,
each with an id that no other has: ``load-<number>``. Nothing is sent again: what got no answer was dropped.

Each second with requests is one line of JSON on standard output, which ``Report.read`` adds up.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

USERS = [f"u{number}" for number in range(8)]  # who get lists
EVENTS_EACH = 10  # one request in ten is a batch of events
EVENTS_IN_A_BATCH = 2
SECONDS = 120.0  # without an answer, a request counts as dropped
AT_ONCE = 64  # requests without an answer yet; a service that is slower than the rate is waited for
REFUSALS = (429, 503)  # with Retry-After: asked to come again


@dataclass
class Second:
    """What was answered, or not, to the requests that ended in one second."""

    at: float  # seconds since 1970
    answers: Counter[str] = field(default_factory=Counter)  # by bundle, or by "events"
    fallbacks: Counter[str] = field(default_factory=Counter)
    refused: int = 0  # asked to come again
    dropped: list[str] = field(default_factory=list)  # what happened instead of an answer
    unkept: list[int] = field(default_factory=list)  # numbers of events that were not acknowledged
    sent_events: int = 0
    slowest: float = 0.0


@dataclass(frozen=True)
class Report:
    """Every second of a load."""

    seconds: list[Second]

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Report":
        """Read what the program has printed so far; a line that it is about to end is left out."""
        return cls([Second(**json.loads(line)) for line in lines if line.startswith("{") and line.endswith("\n")])

    @property
    def requests(self) -> int:
        """How many requests ended."""
        return sum(sum(each.answers.values()) + each.refused + len(each.dropped) for each in self.seconds)

    @property
    def refused(self) -> int:
        """How many were asked to come again."""
        return sum(each.refused for each in self.seconds)

    @property
    def dropped(self) -> list[str]:
        """What happened to those that got no answer, or a wrong one."""
        return [line for each in self.seconds for line in each.dropped]

    def acknowledged(self) -> set[str]:
        """Return the ids of all events that were acknowledged."""
        sent = sum(each.sent_events for each in self.seconds)
        unkept = {number for each in self.seconds for number in each.unkept}
        return {f"load-{number}" for number in range(sent) if number not in unkept}

    def last(self, bundle: str) -> float | None:
        """Return when a bundle answered for the last time."""
        return max((each.at for each in self.seconds if each.answers.get(bundle)), default=None)


class Load:
    """The callers of one service."""

    def __init__(self, host: str, port: int, key: str, rate: float) -> None:
        self._host, self._port, self._rate = host, port, rate
        self._authorization = f"authorization: Bearer {key}\r\n" if key else ""
        self._kept: asyncio.Queue[Any] = asyncio.Queue()  # the longest idle first, so that none is idle for long
        self._events = 0
        self._second = Second(time.time())
        self._stopped = False

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def run(self) -> None:
        """Send until ``stop``, and then wait for the answers."""
        tasks: set[asyncio.Task[None]] = set()
        begun, number = time.monotonic(), 0
        while not self._stopped:
            while len(tasks) >= AT_ONCE:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._request(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            await asyncio.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
            self._print_second()
        await asyncio.gather(*tasks)
        self._print_second(last=True)

    def _print_second(self, last: bool = False) -> None:
        if last or time.time() - self._second.at >= 1:
            printed, self._second = self._second, Second(time.time())
            print(json.dumps(printed.__dict__), flush=True)

    async def _request(self, number: int) -> None:
        is_batch = number % EVENTS_EACH == 0
        events = self._numbered_events() if is_batch else []
        path, document = ("/v1/events", {"events": events}) if is_batch else ("/v1/recommend", _asked(number))
        begun = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                status, answer = await self._answer(path, json.dumps(document).encode(), is_kept=number % 4 < 2)
        except Exception as error:  # whatever it is, it is no answer
            status, answer = 0, f"{type(error).__name__} {error}"
        self._second.slowest = max(self._second.slowest, round(time.monotonic() - begun, 3))
        self._note(status, answer, events)

    def _numbered_events(self) -> list[dict[str, Any]]:
        numbers = range(self._events, self._events + EVENTS_IN_A_BATCH)
        self._events = numbers.stop
        self._second.sent_events += EVENTS_IN_A_BATCH
        who = {"type": "click", "user_id": "somebody else", "item_id": "i01"}
        return [{"event_id": f"load-{number}", **who} for number in numbers]

    def _note(self, status: int, answer: Any, events: list[dict[str, Any]]) -> None:
        second = self._second
        if status == 202 and events:
            second.answers["events"] += 1
        elif status == 200 and not events:
            second.answers[str(answer["bundle"])] += 1
            second.fallbacks.update([answer["fallback"]] if answer["fallback"] else [])
        else:
            second.unkept += [int(event["event_id"].partition("-")[2]) for event in events]
            if status in REFUSALS:
                second.refused += 1
            else:
                second.dropped.append(f"{time.strftime('%H:%M:%S')} {status} {str(answer)[:120]}")

    async def _answer(self, path: str, body: bytes, is_kept: bool) -> tuple[int, Any]:
        connection = await self._connection(is_kept)
        reader, writer = connection
        kept = "keep-alive" if is_kept else "close"
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\nconnection: {kept}\r\n{self._authorization}"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            await writer.drain()
            status, headers, content = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if is_kept and headers.get("connection", "").lower() != "close":
            self._kept.put_nowait(connection)
        else:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return status, json.loads(content) if status < 300 else content.decode(errors="replace")

    async def _connection(self, is_kept: bool) -> Any:
        while is_kept and not self._kept.empty():
            connection = self._kept.get_nowait()
            if not connection[0].at_eof():  # the service has not closed it meanwhile
                return connection
            connection[1].close()
        return await asyncio.open_connection(self._host, self._port)


def _asked(number: int) -> dict[str, Any]:
    return {"user_id": USERS[number % len(USERS)], "k": 5}


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer whose length is said."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    content = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, content


async def main(host: str, port: int, rate: float) -> None:
    """Send to a service until SIGTERM; the variable KEY holds its API key."""
    load = Load(host, port, os.environ.get("KEY", ""), rate)
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, load.stop)
    await load.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
