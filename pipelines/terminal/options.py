"""Options that several commands share: of a home, a shop and an environment, and of Kubeflow Pipelines."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from components.contracts.errors import ConfigurationError
from components.home.storage.locations import BucketPath, Location, parse_location
from pipelines.kubeflow.access import Access
from pipelines.paths import DEFAULT_HOME, DEFAULT_SHOP

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
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


class HomeAddress(click.ParamType):
    """A folder, or ``s3://bucket/prefix``; a folder is made absolute."""

    name = "home"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        """Read the address, or end the command with the error."""
        try:
            return parse_location(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class BucketAddress(HomeAddress):
    """``s3://bucket/prefix``."""

    name = "bucket"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BucketPath:
        """Read the address, or end the command with the error."""
        location = super().convert(value, param, ctx)
        if not isinstance(location, BucketPath):
            self.fail(f"found {value}, expected s3://BUCKET/PREFIX", param, ctx)
        return location


shop_option = click.option(
    "--shop",
    "shop_file",
    type=click.Path(path_type=Path),
    default=DEFAULT_SHOP,
    help="The shop file. [default: the Complete Journey demo]",
)
last_shop_option = click.option(
    "--shop", "shop_file", type=click.Path(path_type=Path), help="The shop file. [default: the home's last run's]"
)
home_option = click.option(
    "--home",
    type=HomeAddress(),
    default=DEFAULT_HOME,
    show_default=True,
    envvar="RANKLOOP_HOME",
    show_envvar=True,
    help="What holds everything of the shop: a folder, or s3://BUCKET/PREFIX.",
)
pipeline_root_option = click.option(
    "--pipeline-root",
    type=BucketAddress(),
    metavar="URL",
    help="Where Kubeflow keeps artifacts, such as s3://mlpipeline/rankloop: defaultPipelineRoot of its kfp-launcher.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
environment_option = click.option(
    "--env",
    "environment",
    default="local",
    show_default=True,
    help="The environment: a pointer of the home, or a line in Git.",
)
patience_option = click.option(
    "--patience",
    type=click.FloatRange(0),
    default=600,
    show_default=True,
    metavar="SECONDS",
    envvar="RANKLOOP_KFP_PATIENCE",
    show_envvar=True,
    help="How long Kubeflow Pipelines may be away at a time, once it has answered.",
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
