"""What runs need from outside the namespace: their images, and the online store."""

import os
from collections.abc import Iterator

from components.contracts.errors import ConfigurationError
from components.contracts.images import image
from components.contracts.urls import AMBIGUOUS, fill_variables, is_ambiguous, public_url
from pipelines.cluster.api import Cluster
from pipelines.cluster.images import Found, find_image
from pipelines.finding import Finding

TARGETS = ("steps", "monitoring")


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
    from redis import RedisError, from_url

    written = os.environ.get("RANKLOOP_ONLINE_URL")
    if not written:
        fix = "export RANKLOOP_ONLINE_URL where it can be reached, as in a pod of the namespace"
        yield Finding("redis", False, "not examined: no RANKLOOP_ONLINE_URL", fix, needed=False)
        return
    try:
        url = fill_variables("RANKLOOP_ONLINE_URL", written)
        if is_ambiguous(url):
            raise ValueError
        from_url(url, socket_connect_timeout=5, socket_timeout=5).ping()
    except ConfigurationError as error:
        yield Finding("redis", False, str(error))
        return
    except ValueError:  # its message may hold a part of the password
        expected = "expected a URL such as redis://:${PASSWORD}@host:6379/0"
        yield Finding("redis", False, f"RANKLOOP_ONLINE_URL is not understood, {expected}", AMBIGUOUS)
        return
    except (RedisError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        yield Finding("redis", False, f"{public_url(url)}: {reason}", "check its address, password and openings")
        return
    yield Finding("redis", True, f"{public_url(url)} answers")
