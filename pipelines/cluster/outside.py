"""What runs need from outside the namespace: their images, and the online store."""

import os
from collections.abc import Iterator
from contextlib import closing

from components.contracts.errors import ConfigurationError, StoreError
from components.contracts.images import image
from components.contracts.urls import fill_variables, public_url
from feature_repo.packed_online_store.backends.opening import open_backend
from feature_repo.packed_online_store.keys import clock_key
from feature_repo.project import PROJECT
from pipelines.cluster.api import Cluster
from pipelines.cluster.images import Found, find_image
from pipelines.finding import Finding

TARGETS = ("steps", "monitoring")
ANSWER_SECONDS = 5


def images(_: Cluster) -> Iterator[Finding]:
    for target in TARGETS:
        name = image(target)
        found = find_image(name)
        fix = {
            Found.ZEROS: "build and push it, and name its digest in components/images.toml or RANKLOOP_IMAGES",
            Found.MISSING: "push it, or correct its digest",
            Found.PRIVATE: "make sure that the accounts of the namespace have imagePullSecrets",
            Found.UNREACHABLE: "make sure that the nodes reach it",
        }.get(found, "")
        sure = found in (Found.ZEROS, Found.MISSING)
        yield Finding("image", not fix, f"{target}: {name.partition('@')[0]} {found.value}", fix, needed=sure)


def redis(_: Cluster) -> Iterator[Finding]:
    written = os.environ.get("RANKLOOP_ONLINE_URL")
    if not written:
        fix = "export RANKLOOP_ONLINE_URL where it can be reached, as in a pod of the namespace"
        yield Finding("redis", False, "not examined: no RANKLOOP_ONLINE_URL", fix, needed=False)
        return
    try:
        url = fill_variables("RANKLOOP_ONLINE_URL", written)
        with closing(open_backend(url, ANSWER_SECONDS)) as store:
            store.read([clock_key(PROJECT)])
    except (ConfigurationError, StoreError) as error:
        yield Finding("redis", False, " ".join(str(error).split())[:300], "check its address, password and openings")
        return
    yield Finding("redis", True, f"{public_url(url)} answers")
