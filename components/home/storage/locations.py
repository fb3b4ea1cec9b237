"""Where something lies: a path of this machine, or a key of a bucket."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import quote

from components.contracts.errors import ConfigurationError

SCHEME = "s3://"
EXPECTED = "expected a folder, or s3://BUCKET/PREFIX without empty parts, `.` and `..`"


@dataclass(frozen=True, order=True, slots=True)
class BucketPath:
    """A key of a bucket, or the beginning of keys; the parts of ``pathlib`` that locations need.

    ``key`` has no slash at its ends, and is empty for the bucket itself. ``str`` gives it as people write it.
    """

    bucket: str
    key: str = ""

    def __truediv__(self, part: str) -> "BucketPath":
        """Return a key below this one."""
        return BucketPath(self.bucket, f"{self.key}/{part}" if self.key else part)

    def __str__(self) -> str:
        """Return the URL as people write it, nothing percent-encoded."""
        return f"{SCHEME}{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """Return the URL for a library that decodes it."""
        return f"{SCHEME}{self.bucket}/{quote(self.key)}"

    @property
    def name(self) -> str:
        """Return the last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def parent(self) -> "BucketPath":
        """Return the location that this one lies in; a bucket lies in itself."""
        return BucketPath(self.bucket, self.key.rpartition("/")[0])

    def with_name(self, name: str) -> "BucketPath":
        """Return the location beside this one that has another name."""
        return self.parent / name

    def is_below(self, location: "BucketPath") -> bool:
        """Say whether this is another location, or lies below it."""
        return self.bucket == location.bucket and f"{self.key}/".startswith(f"{location.key}/" if location.key else "")

    def relative_to(self, location: "BucketPath") -> str:
        """Return the part of the key below another location.

        Raises:
            ValueError: this one does not lie below it.
        """
        prefix = f"{location.key}/" if location.key else ""
        if self.bucket != location.bucket or not self.key.startswith(prefix):
            raise ValueError(f"{self} does not lie in {location}")
        return self.key[len(prefix) :]


Location: TypeAlias = Path | BucketPath


def parse_location(address: str | Location) -> Location:
    """Read a location as people write it: ``s3://bucket/prefix``, or a path, which is made absolute.

    Raises:
        ConfigurationError: another scheme, no bucket, or a prefix that no key can begin with.
    """
    text = str(address)
    if text.startswith(SCHEME):
        return _bucket_path(text)
    if "://" in text:
        raise ConfigurationError(f"{text}: found the scheme {text.partition('://')[0]}, {EXPECTED}")
    return Path(text).expanduser().resolve()


def _bucket_path(address: str) -> BucketPath:
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    parts = key.rstrip("/").split("/") if key.rstrip("/") else []
    unusable = any(part in ("", ".", "..") or not part.isprintable() for part in parts)
    if not bucket or unusable or not bucket.isprintable():
        raise ConfigurationError(f"{address!r}: found no usable bucket and prefix, {EXPECTED}")
    return BucketPath(bucket, "/".join(parts))
