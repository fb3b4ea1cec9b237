"""Looks at the Rollout again and again, and lets Git follow it."""

import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click

from components.bundles.digest import short
from components.contracts.errors import ConfigurationError, RankloopError
from components.contracts.urls import without_users
from components.gitops.canary import Canary
from components.gitops.places import open_forge
from components.gitops.remote import Remote
from components.gitops.reverting import Reverter
from components.gitops.settings import URL, GitSettings, repository_settings
from pipelines.cluster.api import Cluster, connect
from pipelines.cluster.rollouts import Rollouts, Seen

PAUSE_SECONDS = 15.0  # after what could not be done
ASK_SECONDS = 50.0  # Git may have changed without the cluster
FETCH_SECONDS = 300.0  # a pull request may have changed without a branch, such as by a review
HEARTBEAT = Path(tempfile.gettempdir(), "watching")  # its age says whether the process still looks


def say(sentence: str) -> None:
    """Write a line to the log."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {without_users(' '.join(sentence.split()))}")
    sys.stdout.flush()


@dataclass(frozen=True)
class Done:
    """What Git was brought up to: when it was done, and when Git was asked last, by this process' clock."""

    canary: Canary
    heads: Mapping[bytes, bytes]
    acted: float
    asked: float


class Watching:
    """The watch over one environment; what it remembers spares requests and repeated words, and nothing else."""

    def __init__(
        self,
        environment: str,
        namespace: str,
        variables: Mapping[str, str],
        say: Callable[[str], None] = say,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environment, self._namespace, self._variables = environment, namespace, variables
        self._say, self._sleep, self._said = say, sleep, ""
        self._seen = set[str]()  # heads of pull requests
        self._done: Done | None = None

    def run(self) -> NoReturn:
        """Look for ever; a trouble is one line, and another try."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # every step can be taken up by the next process
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        while True:
            HEARTBEAT.touch()
            self.tick()

    def tick(self) -> None:
        """Look once, and wait for a change; where something cannot be done, say so and wait a little."""
        try:
            rollouts, seen = self.look()
            if seen is None:
                self._pause(f"there is no Rollout in the namespace {self._namespace} yet")
            else:
                rollouts.wait(seen.version)
                self._said = ""
        except RankloopError as error:
            self._pause(str(error))

    def look(self) -> tuple[Rollouts, Seen | None]:
        """Look at the Rollout, and do what Git lacks, if the canary or a minute is new.

        Raises:
            RankloopError: what could not be read or written.
        """
        settings = self._settings()
        rollouts = Rollouts(Cluster(connect(), self._namespace))
        seen = rollouts.look()
        if seen is not None and not self._is_recent(seen.canary):
            self._follow(
                Reverter(self._environment, Remote(settings), open_forge(settings), self._say, self._seen), seen
            )
            self._retry(rollouts, settings, seen)
        return rollouts, seen

    def _follow(self, reverter: Reverter, seen: Seen) -> None:
        """Let Git follow, and fetch it only if something there is new, or a while has passed."""
        heads, now, done = reverter.heads(), time.monotonic(), self._done
        if done is None or (done.canary, done.heads) != (seen.canary, heads) or now - done.acted > FETCH_SECONDS:
            self._done = None
            reverter.act(seen.canary, seen.at)
            done = Done(seen.canary, heads, now, now)
        reverter.pass_others()
        self._done = replace(done, asked=now)

    def _is_recent(self, canary: Canary) -> bool:
        done = self._done
        return done is not None and done.canary == canary and time.monotonic() - done.asked < ASK_SECONDS

    def _settings(self) -> GitSettings:
        settings = repository_settings(self._variables)
        if settings is None:
            raise ConfigurationError(
                f"{URL}: found nothing, expected the repository that names the bundle; nothing is reverted until then"
            )
        return settings

    def _retry(self, rollouts: Rollouts, settings: GitSettings, seen: Seen) -> None:
        """Give a canary that could not be judged another try, when its pause is over by the server's clock."""
        canary, wait = seen.canary, timedelta(minutes=settings.retry_minutes)
        if canary.state == "not judged" and wait and _since(canary, seen) >= wait:
            self._say(
                f"{self._environment}: the canary of {short(canary.bundle or '')} could not be judged"
                f" ({canary.message}); it gets another try"
            )
            rollouts.retry(canary)

    def _pause(self, trouble: str) -> None:
        if trouble != self._said:
            self._say(trouble)
        self._said = trouble
        self._sleep(PAUSE_SECONDS)


def _since(canary: Canary, seen: Seen) -> timedelta:
    return seen.at - canary.since if canary.since else timedelta()
