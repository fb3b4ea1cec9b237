"""A digest of the syntax tree of Python source, which comments, docstrings and formatting do not change."""

import ast
import hashlib
from collections.abc import Iterator


def syntax_digest(source: bytes) -> bytes:
    """Digest the syntax tree of a module; equal for sources that differ in comments, docstrings and formatting only.

    A string that stands alone as a statement counts as a docstring. The digest is the same in all versions of Python
    that read the source alike.

    Raises:
        SyntaxError: it is not Python.
    """
    digest = hashlib.sha256()
    for part in _parts(ast.parse(source)):
        digest.update(part.encode())
    return digest.digest()


def _parts(value: object) -> Iterator[str]:
    """Yield what a node or a value of one holds; fields that hold nothing are passed over."""
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name, held in ast.iter_fields(value):
            if held is not None and held != [] and name != "kind":  # u"a" says "a"
                yield f" {name}="
                yield from _parts(held)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for each in value:
            if not (isinstance(each, ast.Pass) or _is_docstring(each)):
                yield from _parts(each)
        yield "]"
    else:
        yield f"{value!r};"


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
