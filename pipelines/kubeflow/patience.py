"""Kubeflow's API server while it is away: asked again for some time, which one line says."""

import time
from collections.abc import Callable
from typing import TypeVar

import urllib3
from kfp_server_api.exceptions import ApiException

from components.contracts.errors import RankloopError

Answer = TypeVar("Answer")
SECONDS = 600.0
PAUSE_SECONDS = 3.0
AWAY = frozenset({429, 502, 503, 504})  # what a gateway says of a server that restarts
AWAY_FOR_READERS = AWAY | {500}  # what KFP says without its database
LOST = (ApiException, urllib3.exceptions.HTTPError, OSError)


class Patience:
    """How long KFP may be away at a time, once it has answered."""

    def __init__(self, seconds: float, say: Callable[[str], None], away: frozenset[int] = AWAY) -> None:
        self._seconds, self._say, self._away = seconds, say, away
        self._since: float | None = None

    def bear(self, error: Exception) -> None:
        """Note that KFP is away, and sleep a little; the first time, say how long it will be asked again.

        Raises:
            Exception: ``error``, if it is an answer, or KFP has been away for too long.
        """
        is_answer = isinstance(error, ApiException) and (error.status or 503) not in self._away
        if is_answer or isinstance(error, FileNotFoundError | PermissionError):  # of a token, or of authorities
            raise error
        now = time.monotonic()
        if self._since is None and self._seconds > 0:
            self._say(f"Kubeflow Pipelines is away ({_words(error)}); asking again for {self._seconds:.0f} seconds")
        self._since = now if self._since is None else self._since
        if now - self._since >= self._seconds:
            raise error
        time.sleep(PAUSE_SECONDS)

    def answered(self) -> None:
        """Note that KFP has answered."""
        self._since = None


def repeated(call: Callable[[], Answer], patience: Patience) -> Answer:
    """Make a call that may be made twice, again and again while KFP is away."""
    while True:
        try:
            answer = call()
        except LOST as error:
            patience.bear(error)
        else:
            patience.answered()
            return answer


def _words(error: Exception) -> str:
    if isinstance(error, ApiException):
        return f"{error.status} {error.reason}"
    if isinstance(error, RankloopError):
        return str(error)
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else None
    return type(cause or error).__name__
