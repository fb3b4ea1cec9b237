"""The reference tables of the service's variables and of all metrics, made from their declarations."""

from pathlib import Path

from components.contracts.metrics import MetricSource, catalogue_table
from components.ranking_service.setting import Setting, declared_settings
from components.ranking_service.settings import ServiceSettings
from components.shop.reference import between_markers

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE, METRICS = DOCS / "serving.md", DOCS / "metrics.md"


def settings_table() -> str:
    """Return the table in Markdown: one row a variable."""
    rows = map(_row, declared_settings(ServiceSettings))
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def metrics_tables() -> str:
    """Return the catalogue of metrics in Markdown: one table for each place where metrics are shown."""
    service, drift = map(catalogue_table, MetricSource)
    return (
        f"### Of the service (`GET /metrics`)\n\n{service}\n\n"
        f"### Of a monitoring run (`metrics` of `rankloop drift --json`)\n\n{drift}"
    )


def _row(setting: Setting) -> str:
    default = "required" if setting.default is None else setting.default or "none"
    return f"| `{setting.variable}` | {default} | {setting.meaning} |"


def main() -> None:
    """Rewrite the tables in ``docs/serving.md`` and ``docs/metrics.md``."""
    for page, tables in ((REFERENCE, settings_table()), (METRICS, metrics_tables())):
        page.write_text(between_markers(page.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
