"""Start the ranking service in this process's place."""

import ipaddress
import os
import socket
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

import click

from components.contracts.errors import ConfigurationError, RankloopError, StoreError
from components.home.layout import Home
from components.home.tombstones import TombstoneView
from components.materialize_features.catalogue import put_catalogue
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.http.api_keys import read_keys
from components.ranking_service.live.loader import LiveLoader
from components.ranking_service.settings import ENVIRONMENT, HOME, ServiceSettings, settings_from
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock
from feature_repo.project import PROJECT

SERVICE = "components.ranking_service.service:RankingService"
QUIET = {"BENTOML_DO_NOT_TRACK": "true"}


def serve(home: Home, environment: str, host: str, port: int) -> NoReturn:
    """Say what will be served, then become BentoML's server.

    If something cannot be opened now, say so once; the service answers by its fallback and tries again.

    Raises:
        ConfigurationError: no run has made the home, a variable is wrong, the port is taken, or other machines could
            ask and no API key is asked for.
    """
    _check_host(home, host)
    _check_port(host, port)
    settings = settings_from(os.environ | {HOME: str(home.root), ENVIRONMENT: environment})
    carry_over_catalogue(home)
    _say(settings, address_of(host, port))
    command = str(Path(sys.executable).with_name("bentoml"))
    arguments = ["serve", SERVICE, "--host", host, "--port", str(port), "--working-dir", str(Path(__file__).parents[1])]
    os.execve(command, [command, *arguments], os.environ | QUIET | settings.variables)


def address_of(host: str, port: int) -> str:
    """Return where a browser finds what listens on an IP address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _open_store(home: Home) -> PackedClient:
    return PackedClient.open(home.online_url, project=PROJECT, revision="", clock=wall_clock, deadline_seconds=2.0)


def carry_over_catalogue(home: Home) -> None:
    """Put the words of the catalogue into a store that was filled before runs put them there.

    Where that is not possible, the service says what is missing.
    """
    with suppress(RankloopError), closing(_open_store(home)) as client:
        if client.catalogue() is None and client.revisions("item_features"):
            put_catalogue(home, client)


def _say(settings: ServiceSettings, address: str) -> None:
    try:
        live = LiveLoader(settings, Sessions(), TombstoneView(settings.home.tombstones)).load()
    except StoreError as error:
        click.echo(f"nothing to rank with yet, it is tried again and again: {error}", err=True)
    else:
        for about, trouble in live.trouble.items():
            click.echo(f"{about}: {trouble}", err=True)
        click.echo(f"serving {live.champion.bundle.digest}")
    click.echo(f"page {address}/  document {address}/openapi.json  metrics {address}/metrics")


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
