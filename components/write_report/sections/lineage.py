"""The section on lineage: exactly which data, code and model belong to this run."""

from dataclasses import dataclass

from components.contracts.handles import Handle
from components.contracts.steps.declared import STEPS
from components.write_report.run_files import RunIdentity
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


def lineage(run: RunIdentity, records: Records) -> Lineage | None:
    """Gather identities; None when nothing is known."""
    fields = [(words, getattr(run, key)) for key, words in _RUN.items()]
    fields += [(words, getattr(run.fingerprint, key)) for key, words in _FINGERPRINT.items()]
    identity = [(words, text) for words, text in fields if text]
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
