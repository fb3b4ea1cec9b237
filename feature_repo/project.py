"""What Feast knows a home by: a home is one shop and one project, so every home's names are the same."""

PROJECT = "rankloop"
REGISTRY = "registry.db"  # in ``feature_store/``
STORE_TYPE = "feature_repo.registry_store.DocumentRegistryStore"  # by which Feast imports what reads and writes it
