"""The options of every command that speaks to Kubeflow Pipelines."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pipelines.kubeflow.access import Access

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
HOST_HELP = "KFP's address. [default: $KF_PIPELINES_ENDPOINT, else the cluster's own]"
OPTIONS = (
    click.option("--host", metavar="URL", help=HOST_HELP),
    click.option("--namespace", help="Your namespace, in a KFP of several users."),
    click.option(
        "--token-file",
        type=FILE,
        envvar="KF_PIPELINES_SA_TOKEN_PATH",
        help="A file with a bearer token. [or: $RANKLOOP_KFP_TOKEN, the token itself]",
    ),
    click.option("--ca-file", type=FILE, help="Certificates of the authority that signed KFP's."),
)


def kubeflow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an address and its credentials; the command gets them as ``access``."""

    @wraps(command)
    def with_access(
        *, host: str | None, namespace: str | None, token_file: Path | None, ca_file: Path | None, **others: Any
    ) -> Any:
        return command(access=_access(host, namespace, token_file, ca_file), **others)

    for option in reversed(OPTIONS):
        with_access = option(with_access)
    return with_access


def _access(host: str | None, namespace: str | None, token_file: Path | None, ca_file: Path | None) -> Access:
    token, cookie = (os.environ.get(name, "").strip() or None for name in ("RANKLOOP_KFP_TOKEN", "RANKLOOP_KFP_COOKIE"))
    return Access(host or os.environ.get("KF_PIPELINES_ENDPOINT"), namespace, token, token_file, cookie, ca_file)
