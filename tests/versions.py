"""Which modules each explicit version covers, and a digest of their syntax without comments.

Where syntax changes, meaning may have changed. Then raise the version, if it has, and write the new digests
with ``python -m tests.versions``.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pipelines.runs.fingerprints import syntax_digest

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).with_name("versions.json")


@dataclass(frozen=True)
class Versioned:
    """A version, and the modules that it covers: its roots, and what these import from the packages named."""

    constant: str  # module:NAME
    roots: tuple[str, ...]
    packages: tuple[str, ...]  # how the names of modules begin whose imports are followed

    def current(self) -> dict[str, object]:
        """Return the version and the digest as the code has them now, in the form of the golden file."""
        module, _, name = self.constant.partition(":")
        return {"version": getattr(import_module(module), name), "syntax": self.syntax()}

    def modules(self) -> dict[str, Path]:
        """Return the roots and the modules that they import, directly or not, by name."""
        reached: dict[str, Path] = {}
        waiting = list(self.roots)
        while waiting:
            name = waiting.pop()
            path = _path(name)
            if name not in reached and path and name.startswith(self.packages):
                reached[name] = path
                waiting += _imports(path)
        return dict(sorted(reached.items()))

    def syntax(self) -> str:
        """Digest the syntax of all of them."""
        total = hashlib.sha256()
        for name, path in self.modules().items():
            total.update(name.encode() + syntax_digest(path.read_bytes()))
        return total.hexdigest()[:16]


VERSIONS = (
    Versioned(
        "components.ranking.features:FEATURE_LIST_VERSION",
        ("components.ranking.features", "components.ranking.sessions"),
        ("components.ranking.", "components.contracts.moments"),
    ),
    Versioned(
        "components.features.snapshots.schemas:VIEWS_VERSION",
        ("components.features.snapshots.plan",),
        ("components.features.", "components.contracts.moments", "components.lake.zones"),
    ),
    Versioned(
        "components.build_training_set.examples:EXAMPLES_VERSION",
        ("components.build_training_set.examples",),
        (
            "components.build_training_set.",
            "components.contracts.moments",
            "components.contracts.ranking_examples",
            "components.features.snapshots.calendar",
            "components.features.inputs.catalogue",
            "components.features.inputs.encoded",
            "components.features.inputs.moment",
            "components.features.inputs.positive_events",
            "components.ranking.baselines",
            "feature_repo.point_in_time",
        ),
    ),
    Versioned(
        "feature_repo.packed_online_store.layout:MAGIC",
        (
            "feature_repo.packed_online_store.rows",
            "feature_repo.packed_online_store.writing",
            "feature_repo.packed_online_store.feast.views",
        ),
        ("feature_repo.packed_online_store.", "components.contracts.moments"),
    ),
)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import is not followed; write it in full"
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def _path(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({each.constant: each.current() for each in VERSIONS}, indent=2) + "\n")
