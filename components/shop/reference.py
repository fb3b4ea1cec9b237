"""The reference table of the shop file's keys, made from the settings types."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from components.shop.document import sections_of
from components.shop.settings import Settings, Shop
from components.shop.sources import CellSource

REFERENCE = Path(__file__).parents[2] / "docs" / "shop-file.md"
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"
PIPE = "\\|"  # within a table's cell
Fields = Mapping[str, FieldInfo]
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def reference_tables() -> str:
    """Markdown: one table a section of the shop file, each section once."""
    return "\n\n".join(f"### {title}\n\n{_table(fields)}" for title, fields in _sections("", Shop))


def page_with_reference(page: str) -> str:
    """Return a page whose part between the two markers is the reference as it is now."""
    return between_markers(page, reference_tables())


def between_markers(page: str, content: str) -> str:
    """Replace the part of a page that stands between the two markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def _sections(path: str, section: type[Settings]) -> Iterator[tuple[str, Fields]]:
    yield f"`{path}`" if path else "The file", section.model_fields
    for key, field in section.model_fields.items():
        below = sections_of(field.annotation)
        if len(below) == 1:
            yield from _sections(_header(path, key, field), below[0])  # type: ignore[arg-type]  # all are Settings
        elif below and path.startswith("[[events"):  # the same wherever a source stands
            yield from _kinds(_header(path, key, field), below)


def _kinds(path: str, kinds: Sequence[type[BaseModel]]) -> Iterator[tuple[str, Fields]]:
    """Yield the keys that sections of every kind have, then the others of each kind."""
    shared = CellSource.model_fields
    for kind in kinds:
        names = " or ".join(f"`{name}`" for name in get_args(kind.model_fields["kind"].annotation))
        yield f"`{path}` of kind {names}", {key: field for key, field in kind.model_fields.items() if key not in shared}
    yield f"`{path}` of any kind", shared


def _header(path: str, key: str, field: FieldInfo) -> str:
    dotted = ".".join(filter(None, [path.strip("[]"), key]))
    return f"[[{dotted}]]" if get_origin(field.annotation) is tuple else f"[{dotted}]"


def _table(fields: Fields) -> str:
    rows = [
        f"| `{key}` | {_kind_of(field)} | {_default(field)} | {(field.description or '').replace('|', PIPE)} |"
        for key, field in fields.items()
        if not field.exclude
    ]
    return "\n".join(["| key | kind | default | what it says |", "|---|---|---|---|", *rows])


def _kind_of(field: FieldInfo) -> str:
    one_or_many = any(isinstance(rule, BeforeValidator) for rule in field.metadata)
    return ("text or " if one_or_many else "") + _kind(field.annotation)


def _kind(annotation: Any) -> str:
    if sections_of(annotation):
        return "sections" if get_origin(annotation) is tuple else "section"
    if annotation in WORDS:
        return WORDS[annotation]
    choices = _choices(annotation)
    if choices and get_origin(annotation) is not dict:
        return ("list of " if get_origin(annotation) is tuple else "") + ", ".join(f"`{choice}`" for choice in choices)
    if get_origin(annotation) is dict:
        return "table"
    if get_origin(annotation) is tuple:
        return "list of text"
    return " or ".join(_kind(part) for part in get_args(annotation) if part is not type(None) and part is not None)


def _choices(annotation: Any) -> list[str]:
    """Return the values of a ``Literal`` within an annotation."""
    if isinstance(annotation, str | int):
        return [str(annotation)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ((), {}) or isinstance(default, Settings) or default == "":
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return ", ".join(f"`{part}`" for part in default)
    return f"`{default}`"


def main() -> None:
    """Rewrite the reference in ``docs/shop-file.md``."""
    REFERENCE.write_text(page_with_reference(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
