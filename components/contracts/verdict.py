"""The gate's verdict and its scores, as steps pass them on."""

import json
from dataclasses import asdict, dataclass, field

from components.contracts.json_documents import closed, parse_json


@closed
@dataclass(frozen=True)
class Score:
    """A mean over users with its bootstrap interval."""

    mean: float
    low: float
    high: float


@closed
@dataclass(frozen=True)
class Contender:
    """The scores of one contender on the held-out requests."""

    name: str  # challenger, champion, or the baseline's name
    ndcg: Score
    metrics: dict[str, float] = field(default_factory=dict)  # map, hit_rate, recall, coverage, novelty, ...
    slices: dict[str, Score] = field(default_factory=dict)  # NDCG by named slice of users
    slice_users: dict[str, int] = field(default_factory=dict)
    intervals: dict[str, Score] = field(default_factory=dict)  # of the metrics that have one


@closed
@dataclass(frozen=True)
class Comparison:
    """The challenger's NDCG less another contender's, on the same requests; paired, so narrower than either's own."""

    against: str
    difference: Score
    reference: float  # the other contender's mean, for relative differences
    slice: str | None = None  # None: all requests
    users: int = 0


@closed
@dataclass(frozen=True)
class Check:
    """One condition of the gate: whether it holds, and the reason in words."""

    name: str
    passed: bool
    reason: str


@closed
@dataclass(frozen=True)
class Verdict:
    """The decision whether the challenger may go live, and the reasons."""

    promote: bool
    checks: tuple[Check, ...]
    contenders: tuple[Contender, ...]
    best_baseline: str | None  # None when there were no held-out requests
    set_aside: str | None = None  # why the champion was not compared, if it was not
    comparisons: tuple[Comparison, ...] = ()
    live: str | None = None  # digest of the bundle that was live when it was judged

    @property
    def reasons(self) -> list[str]:
        """Return every check's reason, the failed ones first."""
        return [check.reason for check in sorted(self.checks, key=lambda check: check.passed)]

    def contender(self, name: str) -> Contender | None:
        """Return the contender of a name, if it was scored."""
        return next((contender for contender in self.contenders if contender.name == name), None)


def verdict_json(verdict: Verdict) -> bytes:
    """Return a verdict as a JSON document."""
    return json.dumps(asdict(verdict), indent=1, sort_keys=True).encode()


def read_verdict(document: bytes) -> Verdict:
    """Read a verdict written by ``verdict_json``.

    Raises:
        ValueError: the document is no verdict.
    """
    return parse_json(Verdict, document)
