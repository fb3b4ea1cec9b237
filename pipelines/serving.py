"""Start the ranking service in this process's place."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from components.contracts.home import Home
from components.ranking_service.opening import live_bundle
from components.ranking_service.settings import ServiceSettings

SERVICE = "components.ranking_service.service:RankingService"
QUIET = {"BENTOML_DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"}  # nothing is reported, nothing is traced


def serve(home: Home, environment: str, host: str, port: int) -> NoReturn:
    """Check that there is something to serve, then become BentoML's server.

    Raises:
        BundleError: nothing was promoted, or it cannot be served by this code.
    """
    settings = ServiceSettings(home, environment)
    bundle = live_bundle(settings)
    click.echo(f"serving {bundle.digest} to http://{host}:{port}/v1/recommend; metrics: http://{host}:{port}/metrics")
    command = str(Path(sys.executable).with_name("bentoml"))
    arguments = ["serve", SERVICE, "--host", host, "--port", str(port), "--working-dir", str(Path(__file__).parents[1])]
    os.execve(command, [command, *arguments], os.environ | QUIET | settings.variables)
