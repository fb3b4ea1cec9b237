"""Which runs of a home came to an end, and what of theirs is still needed."""

from components.contracts.handles import Handle
from components.home.layout import Home
from components.home.runs.records import has_run, read_run, run_ids
from components.home.runs.step_records import read_records


def trained_features(home: Home) -> Handle | None:
    """Return the features of the newest training run that ended well, which batch recommendations read, if any."""
    for run_id in reversed(run_ids(home)):  # they sort by time
        if not has_run(home, run_id):
            continue
        run = read_run(home, run_id)
        if (run.pipeline, run.state) == ("training", "done"):
            built = read_records(home.run(run_id)).get("build_features")
            if built and "features" in built.handles:
                return built.handles["features"]
    return None
