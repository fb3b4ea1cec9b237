"""Kubeflow Pipelines itself: does it answer, and is it new enough?"""

from components.contracts.errors import RankloopError
from components.contracts.urls import public_host
from pipelines.finding import Finding
from pipelines.kubeflow.access import Access


def examine_kubeflow(access: Access) -> list[Finding]:
    """Ask Kubeflow Pipelines for its health, if its address is known."""
    host = access.host
    if not host:
        fix = "name it by --host, or set KF_PIPELINES_ENDPOINT"
        return [Finding("kubeflow", False, "not examined: no address", fix, needed=False)]
    from pipelines.kubeflow.client import open_client, translated_errors

    try:
        with translated_errors(host):
            open_client(access)
    except RankloopError as error:
        return [Finding("kubeflow", False, str(error))]
    return [Finding("kubeflow", True, f"Kubeflow Pipelines answers at {public_host(host)}")]
