"""The steps of each pipeline in the order in which they run on one machine; a test holds them to the pipelines."""

TRAINING = (
    "ingest_events",
    "validate_events",
    "build_features",
    "materialize_features",
    "build_training_set",
    "train_ranker",
    "evaluate_ranker",
    "publish_bundle",
    "propose_promotion",
    "detect_drift",
    "write_report",
)

MONITORING = (
    "ingest_events",
    "validate_events",
    "build_features",
    "build_training_set",
    "detect_drift",
    "write_report",
)

STEPS = {"training": TRAINING, "monitoring": MONITORING}
