"""What a run comes to: the document that `rankloop run --json` ends with, and `runs` reads back."""

from pathlib import Path, PurePath
from typing import Any

from components.contracts.verdict import Contender, Score, Verdict, read_verdict
from components.home.handed import handed_document
from components.home.layout import Home
from components.home.runs.records import RunRecord
from components.home.runs.step_records import StepRecord, all_warnings, stood_at
from components.home.storage.documents import list_names
from components.home.storage.locations import Location
from components.shop.settings import Shop

Document = dict[str, Any]
Records = dict[str, StepRecord]


def run_document(home: Home, run: RunRecord, shop: Shop, records: Records) -> Document:
    """Return the document of a run, finished or not; what no step left is null."""
    verdict = _verdict(records)
    return {
        "run_id": run.run_id,
        "shop": run.shop,
        "as_of": stood_at(records) or run.as_of,
        "steps": [
            {"name": record.name, "seconds": record.seconds, "rows_in": record.rows_in, "rows_out": record.rows_out}
            for record in records.values()
        ],
        "metrics": _metrics(verdict, shop) if verdict else None,
        "verdict": {"promote": verdict.promote, "reasons": verdict.reasons} if verdict else None,
        "bundle": _bundle(records),
        "warnings": all_warnings(records),
        "reports": _reports(home, run.run_id),
    }


def _verdict(records: Records) -> Verdict | None:
    record = records.get("evaluate_ranker")
    handle = record.handles.get("evaluation") if record else None
    return read_verdict(handed_document(handle)) if handle else None


def _metrics(verdict: Verdict, shop: Shop) -> Document:
    def scores(contender: Contender | None) -> Document | None:
        return None if contender is None else score_document(contender.ndcg, shop)

    ours = {"challenger", "champion"}
    return {
        "challenger": scores(verdict.contender("challenger")),
        "champion": scores(verdict.contender("champion")),
        "baselines": {one.name: scores(one) for one in verdict.contenders if one.name not in ours},
    }


def score_document(score: Score, shop: Shop) -> Document:
    """Return a score under the names of its cut and its confidence: ``ndcg_at_10`` and ``ci95`` by default."""
    interval = f"ci{round(100 * shop.gate.confidence)}"
    return {f"ndcg_at_{shop.k}": score.mean, interval: [score.low, score.high]}


def _bundle(records: Records) -> Document | None:
    for name in ("publish_bundle", "train_ranker"):
        handle = records[name].handles.get("bundle") if name in records else None
        if handle is not None:
            return {"digest": handle.digest, "uri": handle.uri}
    return None


def _reports(home: Home, run_id: str) -> Document:
    """Return the HTML pages of a run by name: ``report`` is the run report."""
    run = home.run(run_id)
    names = [PurePath(name) for name in list_names(run) if name.endswith(".html")]
    return {name.stem: _link(run / name.name) for name in names}


def report_link(home: Home, run_id: str) -> str:
    """Return where the report of a run lies, or will once the run has ended."""
    return _link(home.run(run_id) / "report.html")


def _link(page: Location) -> str:
    return page.as_uri() if isinstance(page, Path) else page.url
