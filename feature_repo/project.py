"""The names of a home in Feast: a home is one shop and one project, so all homes have the same names."""

PROJECT = "rankloop"
REGISTRY = "registry.db"  # in ``feature_store/``
STORE_TYPE = "feature_repo.registry_store.DocumentRegistryStore"  # by which Feast imports what reads and writes it
OFFLINE_STORE = "duckdb"  # runs on Ibis's default backend, which is what ``lake.engine.default_engine`` opens
