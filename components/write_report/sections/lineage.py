"""The section on lineage: exactly which data, code and model this run stands for."""

from dataclasses import dataclass

from components.contracts.handles import Handle
from components.contracts.steps.declared import STEPS
from components.write_report.facts import Facts
from components.write_report.run_outline import Records

_RUN = {"run_id": "Run", "shop": "Shop", "pipeline": "Pipeline", "started": "Started", "as_of": "As of, as asked"}
_FINGERPRINT = {"code": "Code", "shop": "Shop file", "sources": "Sources"}


@dataclass(frozen=True)
class Produced:
    """What one step left: where it lies, Delta versions by table, and a content digest."""

    step: str
    kind: str
    uri: str
    versions: tuple[tuple[str, str], ...]
    digest: str | None


@dataclass(frozen=True)
class Lineage:
    """The run's identity and what each step produced."""

    run: tuple[tuple[str, str], ...]
    produced: tuple[Produced, ...]


def lineage(run: Facts, records: Records) -> Lineage | None:
    """Gather identities; None when nothing is known."""
    identity = [(words, text) for key, words in _RUN.items() if (text := run.text(key))]
    fingerprint = run.child("fingerprint")
    identity += [(words, text) for key, words in _FINGERPRINT.items() if (text := fingerprint.text(key))]
    produced = tuple(
        _produced(step.name, handle)
        for step in STEPS
        if step.name in records
        for handle in records[step.name].handles.values()
    )
    return Lineage(tuple(identity), produced) if identity or produced else None


def _produced(step: str, handle: Handle) -> Produced:
    versions = tuple((name, str(version)) for name, version in handle.versions.items())
    return Produced(step, handle.kind, handle.uri, versions, handle.digest)
