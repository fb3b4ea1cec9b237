"""The future-value poison: evidence that no feature of an example can see past its request.

``build_training_set`` recomputes some held-out requests' rows from tables whose rows from the request on were made
absurd, and leaves beside the examples how many values changed. The gate promotes nothing without it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "leak_probe.json"


@dataclass(frozen=True)
class LeakProbe:
    """How many feature values of how many requests were recomputed on poisoned tables, and how many changed."""

    requests: int
    values: int
    changed: int
    changed_features: tuple[str, ...] = ()


def write_leak_probe(folder: Path, probe: LeakProbe) -> None:
    """Write the evidence into the folder of the examples."""
    (folder / FILE).write_text(json.dumps(asdict(probe), indent=1, sort_keys=True))


def read_leak_probe(folder: Path) -> LeakProbe | None:
    """Read the evidence; None when nobody looked."""
    path = folder / FILE
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return LeakProbe(**found | {"changed_features": tuple(found["changed_features"])})
