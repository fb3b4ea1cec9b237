"""What the documents name exists: links, paths, commands with their options, modules, make targets, variables."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from pipelines.cli import rankloop

ROOT = Path(__file__).parents[1]
FOLDERS = ("components", "pipelines", "feature_repo", "tests", "docs", "manifests")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *DECISIONS]
MAX_IMAGE_BYTES = 150_000
PLACEHOLDERS = set("<>*…{}$")

CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(rf"^(?:{'|'.join(FOLDERS)})/\S+$")
COMMAND = re.compile(r"(?<![\w./-])rankloop ([a-z][a-z-]*)((?: (?!\|)\S+)*)")
OPTION = re.compile(r"(?<!\S)\[?(--[a-z][a-z-]*)")
MODULE_FILE = re.compile(r"^[a-z_/]+\.py$")
MODULE = re.compile(r"python -m ([a-z_.]+)")
VARIABLE = re.compile(r"\bRANKLOOP_[A-Z_]+\b")
TARGET = re.compile(r"\bmake ([a-z-]+)")


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_in(document: Path) -> list[str]:
    return [code.strip("`") for code in CODE.findall(document.read_text())]


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=names)


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_named_paths_exist(document: Path) -> None:
    paths = [code for code in code_in(document) if PATH.match(code) and not PLACEHOLDERS & set(code)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@every_document
def test_named_modules_are_somewhere(document: Path) -> None:
    modules = [code for code in code_in(document) if MODULE_FILE.match(code)]
    assert [name for name in modules if not any(path.endswith("/" + name) for path in _modules())] == []


@every_document
def test_named_commands_and_options_exist(document: Path) -> None:
    context = click.Context(rankloop)
    for code in code_in(document):
        for name, arguments in COMMAND.findall(code):
            command = rankloop.get_command(context, name)
            assert command is not None, f"rankloop {name}"
            known = {option for parameter in _parameters(command) for option in parameter.opts}
            assert set(OPTION.findall(arguments.partition("#")[0])) <= known | {"--help"}, f"rankloop {name}{arguments}"


def _parameters(command: click.Command) -> list[click.Parameter]:
    nested = list(command.commands.values()) if isinstance(command, click.Group) else []
    return [*command.params, *(parameter for child in nested for parameter in child.params)]


@every_document
def test_named_modules_targets_and_variables_exist(document: Path) -> None:
    code = "\n".join(code_in(document))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    modules = [name.rstrip(".") for name in MODULE.findall(code)]
    assert [name for name in modules if find_spec(name) is None] == []
    assert set(TARGET.findall(code)) <= set(targets)
    assert set(VARIABLE.findall(code)) <= _variables()


def test_every_variable_is_in_a_document() -> None:
    documented = {name for document in DOCUMENTS for name in VARIABLE.findall(document.read_text())}
    assert _variables(("components", "pipelines", "feature_repo")) <= documented


@cache
def _modules(folders: tuple[str, ...] = FOLDERS) -> tuple[str, ...]:
    return tuple(str(module) for folder in folders for module in (ROOT / folder).rglob("*.py"))


@cache
def _variables(folders: tuple[str, ...] = FOLDERS) -> frozenset[str]:
    return frozenset(name for module in _modules(folders) for name in VARIABLE.findall(Path(module).read_text()))


@pytest.mark.parametrize("page", DECISIONS, ids=names)
def test_a_decision_has_its_parts_and_its_line(page: Path) -> None:
    text = page.read_text()
    title = text.splitlines()[0].removeprefix("# ")
    assert title.partition(".")[0].zfill(2) == page.name.partition("-")[0]
    assert f"[{title}](docs/decisions/{page.name})" in (ROOT / "ARCHITECTURE.md").read_text()
    for part in ("*Accepted", "**Context.**", "**Decision.**", "**Consequences.**"):
        assert part in text


def test_terms_of_the_glossary_are_in_order() -> None:
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert rows == sorted(set(rows), key=str.lower)


def test_images_of_the_documents_are_small() -> None:
    images = sorted((ROOT / "docs" / "images").glob("*"))
    assert {image.suffix for image in images} == {".png"}
    assert max(image.stat().st_size for image in images) <= MAX_IMAGE_BYTES
