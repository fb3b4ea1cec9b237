"""The client of a bucket: obstore, set by the usual AWS variables, its errors as one line each.

The variables are those of every AWS client: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``,
``AWS_REGION``, ``AWS_ENDPOINT_URL`` (or ``AWS_ENDPOINT_URL_S3``), and those of web identities and container roles.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from components.contracts.errors import ConfigurationError, StorageError
from components.home.storage.locations import BucketPath

CONNECT_SECONDS = 5
REQUEST_SECONDS = 20  # an answer, or a part of one, is waited for that long
RETRY_SECONDS = 45  # how long a server that is throttling, restarting or slow is asked again
MAX_RETRIES = 1_000  # only the seconds count: a server that restarts refuses many requests in one
REGION = "us-east-1"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "AccessDenied")  # codes of S3 answers
WRONG_CLOCK = "RequestTimeTooSkewed"  # by more than a quarter of an hour
THROTTLING = ("SlowDown", "503 Service Unavailable", "429 Too Many Requests")
FULL = ("QuotaExceeded", "507 Insufficient Storage", "No space left", "no free volumes")
INSTANCE_METADATA = "/latest/api/token"  # asked for credentials when no variable holds any
CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and the rights of that key"


def store_of(location: BucketPath) -> S3Store:
    """Return the client of a location's bucket; one a bucket and environment for the whole process."""
    settings = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _store(location.bucket, settings, os.getpid())


@lru_cache(maxsize=32)
def _store(bucket: str, settings: tuple[tuple[str, str], ...], process: int) -> S3Store:
    """Make a client; it has threads, so that a process that was forked makes its own."""
    return S3Store(
        bucket,
        region=dict(settings).get("AWS_REGION") or dict(settings).get("AWS_DEFAULT_REGION") or REGION,
        client_options={
            "allow_http": is_plain_http(),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        },
        retry_config={"max_retries": MAX_RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )


def delta_options(location: BucketPath) -> dict[str, str]:
    """Return what delta-rs needs beside the AWS variables: conditional puts, and the same patience."""
    return {
        "aws_conditional_put": "etag",
        "aws_region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION,
        "allow_http": str(is_plain_http()).lower(),
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{REQUEST_SECONDS}s",
        "max_retries": str(MAX_RETRIES),
        "retry_timeout": f"{RETRY_SECONDS}s",
    }


def endpoint() -> str:
    """Return the server that is asked, as the variables name it; empty for AWS itself."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")


def is_plain_http() -> bool:
    """Say whether the server is asked without encryption, as inside a cluster."""
    return endpoint().startswith("http://")


@contextmanager
def readable_errors(location: BucketPath) -> Iterator[None]:
    """Say in one line what a bucket refused; missing objects and lost races stay exceptions of their own.

    Raises:
        ConfigurationError: the bucket does not exist, or the credentials are refused.
        StorageError: the server cannot be reached, does not answer in time, throttles or is full.
    """
    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, FileNotFoundError, OSError, ValueError) as error:
        raise _translated(location, error) from error


def _translated(location: BucketPath, error: Exception) -> Exception:
    """Choose the error that says what to do, by the code that the server sent."""
    reason, text = _reason(error), str(error)
    server = endpoint() or "AWS"

    def holds(*codes: str) -> bool:
        return any(code in text for code in codes)

    if holds("NoSuchBucket"):
        return ConfigurationError(f"{location}: {server} has no bucket {location.bucket}; create it, or name another")
    if isinstance(error, FileNotFoundError):
        return error
    if isinstance(error, InvalidPathError):
        return ConfigurationError(f"{location}: no key can be called that ({reason}); name another")
    if holds(WRONG_CLOCK):
        return ConfigurationError(f"{location}: this machine's clock is not the server's ({reason}); set the clock")
    if holds(INSTANCE_METADATA):
        return ConfigurationError(f"{location}: there are no credentials; export AWS_ACCESS_KEY_ID and its secret")
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or holds(*REFUSED):
        return ConfigurationError(f"{location}: the credentials are refused ({reason}); {CREDENTIALS}")
    if holds(*THROTTLING):
        return StorageError(
            f"{location}: {server} was throttling for {RETRY_SECONDS} s ({reason}); run again when it is less busy"
        )
    if holds(*FULL):
        return StorageError(f"{location}: the store is full ({reason}); make room, then run again")
    return StorageError(
        f"{location}: {server} cannot be used ({reason}); check AWS_ENDPOINT_URL and that the server answers, then run"
        " again"
    )


def _reason(error: Exception) -> str:
    """Return what the server said, else the end of the client's first line."""
    text = str(error)
    code, message = re.search("<Code>(.*?)</Code>", text), re.search("<Message>(.*?)</Message>", text)
    if code:
        return f"{code[1]}: {message[1]}" if message else code[1]
    return text.partition("\n\nDebug source")[0].rpartition(" - ")[2].strip()[:300]
