"""The digest of what a module says."""

import ast

import pytest

from pipelines.runs.fingerprints import PACKAGES, ROOT
from pipelines.runs.syntax import syntax_digest

SOURCE = '''
"""Say so."""

LIMIT = 10
"""How many."""


def over(number: int, limit: int = LIMIT) -> bool:
    """Say whether a number is over a limit."""
    return number > limit or f"{number:>3}" == "x"
'''
SAME = """
LIMIT = (10)   # another comment


def over(
    number: int,
    limit: int = LIMIT,
) -> bool:
    return (number > limit) or (
        f'{number:>3}' == 'x'
    )
"""


def test_comments_docstrings_and_formatting_say_nothing() -> None:
    assert syntax_digest(SAME.encode()) == syntax_digest(SOURCE.encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("> limit", ">= limit"),
        ("= 10", "= 10.0"),
        ("= 10", "= '10'"),
        ("LIMIT = 10", "LIMIT = 10; MORE = None"),
        ("or f", "and f"),
        (":>3", ":<3"),
        ("number > limit", "limit > number"),
        ("limit: int = LIMIT", "*, limit: int = LIMIT"),
    ],
)
def test_what_may_mean_something_else_has_another_digest(before: str, after: str) -> None:
    assert before in SOURCE
    assert syntax_digest(SOURCE.replace(before, after).encode()) != syntax_digest(SOURCE.encode())


def test_a_class_with_a_docstring_alone_says_what_an_empty_one_does() -> None:
    assert syntax_digest(b'class Error(Exception):\n    """It failed."""') == syntax_digest(
        b"class Error(Exception): pass"
    )


def test_every_module_of_the_project_formatted_differently_says_the_same() -> None:
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        source = path.read_bytes()
        assert syntax_digest(ast.unparse(ast.parse(source)).encode()) == syntax_digest(source), path
