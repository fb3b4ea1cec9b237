"""The line that says which bundle an environment serves, and its counterpart among the rendered manifests."""

import re
from collections.abc import Mapping

from components.bundles.digest import PREFIX, short
from components.contracts.errors import PromotionError
from components.home.layout import NAME_ADVICE, is_environment_name

LINE = re.compile(rb"^ *value: *[\"']?(sha256:[0-9a-f]{64})[\"']? *\r?$", re.MULTILINE)
IMAGE = re.compile(rb"(?<=:bundle-)[0-9a-f]{64}\b")  # of a bundle that the pods mount: its tag holds the digest
SOURCE = re.compile(r"manifests/overlays/[^/]+/bundle\.yaml")
NOTHING = PREFIX + 64 * "0"  # stands where nothing was promoted yet


def source_path(environment: str) -> str:
    """Return the path of an environment's source line.

    Raises:
        PromotionError: an environment cannot be called that.
    """
    if not is_environment_name(environment):
        raise PromotionError(f"environment {environment!r}: {NAME_ADVICE}")
    return f"manifests/overlays/{environment}/bundle.yaml"


def is_source(path: str) -> bool:
    """Return whether a path is that of some environment's source line."""
    return SOURCE.fullmatch(path) is not None


def rendered_folder(environment: str) -> str:
    """Return the folder of an environment's rendered manifests."""
    return f"manifests/rendered/{environment}"


def line_digest(path: str, content: bytes | None) -> str:
    """Return the digest that a source file names; ``NOTHING`` where it says so.

    Raises:
        PromotionError: the file is not there, or holds not exactly one such line.
    """
    if content is None:
        raise PromotionError(
            f"{path}: found no such file in the branch; the environment has no overlay there, or is called otherwise"
        )
    lines = LINE.findall(content)
    if len(lines) != 1:
        raise PromotionError(f"{path}: found {len(lines)} lines like `value: sha256:…`, expected one; correct the file")
    return str(lines[0].decode())


def file_of_line(environment: str, digest: str, rendered: Mapping[str, bytes]) -> tuple[str, bytes | None]:
    """Return the rendered file that names a digest, and its content; the source's path where nothing is rendered."""
    for name, content in rendered.items():
        if any(line[1] == digest.encode() for line in LINE.finditer(content)):
            return name, content
    return source_path(environment), None


def changed_files(
    environment: str, digest: str, source: bytes | None, rendered: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the new content of the files whose line changes: the source, and one rendered file if there are any.

    Nothing but the digest changes in them, so that a reviewer's diff is one line a file; where the pods mount the
    bundle's image, its tag changes in the rendered file too.

    Raises:
        PromotionError: a line is not there exactly once.
    """
    path = source_path(environment)
    before = line_digest(path, source).encode()
    changed = {path: (source or b"").replace(before, digest.encode())}
    if not rendered:
        return changed
    holding = [
        (name, _with_image(content[: line.start(1)] + digest.encode() + content[line.end(1) :], digest))
        for name, content in rendered.items()
        for line in LINE.finditer(content)
        if line[1] == before
    ]
    if len(holding) != 1:
        raise PromotionError(
            f"{rendered_folder(environment)}: found {len(holding)} lines like `value: {short(before.decode())}…`,"
            f" expected one, the counterpart of {path}; run `rankloop render`, and merge what it changes"
        )
    return changed | dict(holding)


def _with_image(content: bytes, digest: str) -> bytes:
    return IMAGE.sub(digest.removeprefix(PREFIX).encode(), content)
