"""What canaries of an environment came to, kept in its repository: the bundles that failed, and the circuit breaker.

::

    rankloop/<env>/record   a branch of its own, without a common commit with others; holds one file, record.json

Everybody who may read the repository sees it, with or without a forge, and its history says who changed it, and why.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from components.bundles.digest import short
from components.contracts.errors import PromotionError
from components.gitops.canary import Failure
from components.gitops.remote import Author, Remote, Snapshot

FILE = "record.json"
KEPT_RUNS = 50


@dataclass(frozen=True)
class FailedBundle:
    """A bundle whose canary failed: why, what serves instead, and the link of what takes it out of Git."""

    failure: Failure
    instead: str  # digest
    is_alone: bool  # the canary brought nothing else, so that the bundle is to blame
    revert: str | None = None


@dataclass(frozen=True)
class Stop:
    """Why an environment takes no promotions."""

    bundle: str
    failure: Failure


@dataclass(frozen=True)
class Record:
    """What is known of an environment's canaries."""

    stop: Stop | None = None
    bundles: Mapping[str, FailedBundle] = field(default_factory=dict)  # by digest
    runs: tuple[str, ...] = ()  # UIDs of AnalysisRuns that were taken note of

    def with_failure(self, bundle: str, failure: Failure, instead: str | None, is_alone: bool) -> "Record":
        """Return the record after a canary has failed; ``instead`` is None if its bundle is not the reason."""
        bundles = dict(self.bundles)
        if instead is not None:
            bundles.setdefault(bundle, FailedBundle(failure, instead, is_alone))
        return Record(Stop(bundle, failure), bundles, (*self.runs, failure.uid)[-KEPT_RUNS:])

    def without_stop(self) -> "Record":
        """Return the record after a person has seen why promotions were stopped.

        Bundles that came with other changes may be promoted again: nobody knows which of the two was the reason.
        """
        alone = {digest: failed for digest, failed in self.bundles.items() if failed.is_alone}
        return replace(self, stop=None, bundles=alone)

    def with_revert(self, bundle: str, link: str) -> "Record":
        """Return the record after a bundle's revert was proposed, or made."""
        return replace(self, bundles={**self.bundles, bundle: replace(self.bundles[bundle], revert=link)})


def record_branch(environment: str) -> str:
    """Return the branch that holds an environment's record."""
    return f"rankloop/{environment}/record"


def read_record(snapshot: Snapshot, environment: str) -> Record:
    """Return the record of an environment; an empty one where there is none yet.

    Raises:
        PromotionError: somebody has written something else there.
    """
    head = snapshot.heads.get(record_branch(environment))
    content = None if head is None else snapshot.content(head, FILE)
    if content is None:
        return Record()
    try:
        return _parsed(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PromotionError(
            f"branch {record_branch(environment)}: {FILE} is not what `rankloop watch-rollouts` writes ({error});"
            " put its last good commit back, or delete the branch to forget what it says"
        ) from error


def write_record(
    remote: Remote, snapshot: Snapshot, environment: str, record: Record, message: str, now: datetime
) -> None:
    """Push a new record, if nobody has changed it since the snapshot.

    Raises:
        OutrunError: somebody has.
        PromotionError: the server cannot be reached or refuses.
    """
    branch = record_branch(environment)
    before = snapshot.heads.get(branch)
    content = json.dumps(asdict(record), indent=2).encode() + b"\n"
    commit, objects = snapshot.commit(before, {FILE: content}, message, Author(remote.settings.author, now))
    remote.push(branch, before, commit, objects)


def stop_of(remote: Remote, environment: str) -> Stop | None:
    """Return why an environment takes no promotions; None if it does.

    Raises:
        PromotionError: the server cannot be reached or refuses.
    """
    return read_record(remote.fetch(record_branch(environment)), environment).stop


def reset_stop(remote: Remote, environment: str, now: datetime) -> None:
    """Let an environment take promotions again.

    Raises:
        PromotionError: the server cannot be reached or refuses, or the reverter wrote at the same time.
    """
    snapshot = remote.fetch(record_branch(environment))
    record = read_record(snapshot, environment)
    if record.stop is not None:
        write_record(remote, snapshot, environment, record.without_stop(), f"{environment}: promotions go on\n", now)


def stop_sentence(environment: str, stop: Stop) -> str:
    """Return why an environment takes no promotions, and what to do."""
    return (
        f"{environment} takes no promotions since the canary of {short(stop.bundle)} failed:"
        f" {stop.failure.sentence}; when the reason is known, `rankloop breaker --env {environment} --reset`"
    )


def failed_sentence(environment: str, bundle: str, failed: FailedBundle) -> str:
    """Return why a bundle is not promoted again."""
    link = f", {failed.revert}" if failed.revert else ""
    return (
        f"{short(bundle)} was taken back in {environment}: {failed.failure.sentence}{link}; it is not promoted again,"
        " train another one"
    )


def _parsed(document: Mapping[str, Any]) -> Record:
    bundles = {
        digest: FailedBundle(Failure(**one["failure"]), one["instead"], one["is_alone"], one["revert"])
        for digest, one in document["bundles"].items()
    }
    stop = document["stop"]
    return Record(Stop(stop["bundle"], Failure(**stop["failure"])) if stop else None, bundles, tuple(document["runs"]))
