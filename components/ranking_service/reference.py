"""The reference table of the service's variables, made from the settings types."""

from pathlib import Path

from components.ranking_service.settings import Setting, declared_settings
from components.shop.reference import between_markers

REFERENCE = Path(__file__).parents[2] / "docs" / "serving.md"


def settings_table() -> str:
    """Return the table in Markdown: one row a variable."""
    rows = map(_row, declared_settings())
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _row(setting: Setting) -> str:
    default = "required" if setting.default is None else setting.default or "none"
    return f"| `{setting.variable}` | {default} | {setting.meaning} |"


def main() -> None:
    """Rewrite the table in ``docs/serving.md``."""
    REFERENCE.write_text(between_markers(REFERENCE.read_text(encoding="utf-8"), settings_table()), encoding="utf-8")


if __name__ == "__main__":
    main()
