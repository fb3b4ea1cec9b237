"""Start the ranking service in this process's place."""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import click

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home
from components.ranking_service.api_keys import read_keys
from components.ranking_service.opening import open_recommender
from components.ranking_service.settings import ServiceSettings

SERVICE = "components.ranking_service.service:RankingService"
QUIET = {"BENTOML_DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"}  # nothing is reported, nothing is traced


def serve(home: Home, environment: str, host: str, port: int) -> NoReturn:
    """Open once what the service will open, then become BentoML's server: it would start its workers again for ever.

    Raises:
        BundleError: nothing was promoted, or it cannot be served by this code.
        StoreError: the online store cannot be reached, or lacks the rows.
        ConfigurationError: the port is taken, or other machines could ask and no API key is asked for.
    """
    _check_host(home, host)
    settings = ServiceSettings(home, environment)
    bundle = open_recommender(settings).bundle
    _check_port(host, port)
    click.echo(f"serving {bundle.digest} to http://{host}:{port}/v1/recommend; metrics: http://{host}:{port}/metrics")
    command = str(Path(sys.executable).with_name("bentoml"))
    arguments = ["serve", SERVICE, "--host", host, "--port", str(port), "--working-dir", str(Path(__file__).parents[1])]
    os.execve(command, [command, *arguments], os.environ | QUIET | settings.variables)


def _check_host(home: Home, host: str) -> None:
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise ConfigurationError(f"--host: found {host!r}, expected an IP address such as 127.0.0.1") from error
    if read_keys(home.api_keys) is None and not is_loopback:
        raise ConfigurationError(
            f"--host {host}: other machines could ask, and the home has no API keys; make the first with"
            " `rankloop keys add NAME`, or listen on 127.0.0.1"
        )


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{host}:{port}: cannot be listened on ({error.strerror}); name another --port"
            ) from error
