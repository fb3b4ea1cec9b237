"""Turn a gathered report into HTML: Jinja2 templates with autoescape, styles and script inlined."""

from functools import cache
from typing import TYPE_CHECKING

from components.write_report import formats
from components.write_report.sections.glossary import GLOSSARY

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS = ("count", "share", "change", "score", "difference", "number", "money", "duration", "memory", "moment", "day")
WORDINGS = ("short_digest", "words", "title", "sentence")


def render_page(report: object) -> str:
    """Return the whole page; ``report`` is a ``RunReport``."""
    return _templates().get_template("report.html.j2").render(report=report, glossary=GLOSSARY)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("components.write_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {name: getattr(formats, name) for name in FILTERS}
    templates.filters |= {f"as_{name}": getattr(formats, name) for name in WORDINGS}
    return templates
