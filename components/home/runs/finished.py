"""Which runs of a home came to an end, and what of theirs is still needed."""

from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.records import read_run
from components.home.runs.step_records import read_records


def trained_features(home: Home) -> Handle | None:
    """Return the features of the newest training run that ended well, which batch recommendations read, if any."""
    for path in sorted(home.runs.glob("*/run.json"), reverse=True):  # run ids sort by time
        run = read_run(home, path.parent.name)
        built = read_records(path.parent).get("build_features")
        if (run.pipeline, run.state) == ("training", "done") and built and "features" in built.handles:
            return built.handles["features"]
    return None
