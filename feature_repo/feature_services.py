"""Feature services: what a ranker reads, versioned by the revision of its definitions."""

from feast import FeatureService, FeatureView


def ranking_service(views: list[FeatureView], revision: str) -> FeatureService:
    """Everything a ranker of this revision reads."""
    return FeatureService(name=service_name(revision), features=list(views), tags={"revision": revision})


def service_name(revision: str) -> str:
    """The service's name, such as ``ranking_1f2e3d4c``."""
    return f"ranking_{revision[:8]}"
