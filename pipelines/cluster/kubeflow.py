"""Kubeflow Pipelines itself: does it answer, and is it new enough?"""

from components.contracts.errors import RankloopError
from pipelines.finding import Finding
from pipelines.kubeflow.access import Access


def examine_kubeflow(host: str | None) -> list[Finding]:
    """Ask Kubeflow Pipelines for its health, if its address is known."""
    if not host:
        fix = "name it by --host, or set KF_PIPELINES_ENDPOINT"
        return [Finding("kubeflow", False, "not examined: no address", fix, needed=False)]
    from pipelines.kubeflow.client import open_client, shown_host, translated_errors

    try:
        with translated_errors(host):
            open_client(Access(host=host))
    except RankloopError as error:
        return [Finding("kubeflow", False, str(error))]
    return [Finding("kubeflow", True, f"Kubeflow Pipelines answers at {shown_host(host)}")]
