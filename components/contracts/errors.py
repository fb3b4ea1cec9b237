"""Every error that Rankloop raises on purpose.

::

    RankloopError                 one line for the user: found, expected, what to do
    ├── ConfigurationError        a wrong shop file, option or home (exit code 2)
    ├── SourceError               a source that cannot be read or mapped
    ├── ContractBreach            data that breaks a hard rule of the data contract
    ├── FeatureError              features from the future, empty windows, Feast refusals
    ├── StorageError              the home's bucket: unreachable, throttling, full
    │   └── DamagedObjectError    objects are gone or damaged; a run makes them again
    ├── StoreError                the online store: wrong schema, lost rows, unreachable
    │   └── DamagedStoreError     its files are damaged; a run replaces them
    ├── TrainingError             too few groups, label leakage, NaN loss
    ├── BundleError               a bundle that is missing, tampered with or of another revision
    │   └── UnverifiedBundleError it is not what was published, or nobody who is trusted has signed it
    ├── RegistryError             a registry of images: unreachable, refusing, or without what is asked for
    ├── PromotionError            a promotion or rollback that must not happen
    │   └── PromotionHeldError    one that waits, or that a person has decided against
    └── HomeBusyError             another run holds the home's lock
"""

import errno
import os

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class RankloopError(Exception):
    """Base of all deliberate errors; ``str(error)`` is one message fit for a user."""

    exit_code = 1


class ConfigurationError(RankloopError):
    """A shop file, option or home that is wrong; the message names the key."""

    exit_code = 2


class SourceError(RankloopError):
    """A source that cannot be read, or lacks a mapped column."""


class ContractBreach(RankloopError):  # noqa: N818 - "breach" is the term of the data contract
    """Data that breaks a hard rule; the last good version stays live."""


class FeatureError(RankloopError):
    """Features that cannot be built or served as defined."""


class StorageError(RankloopError):
    """A bucket that cannot be read or written now."""


class DamagedObjectError(StorageError):
    """Objects of a bucket that are gone or damaged: they can only be made again."""


class StoreError(RankloopError):
    """An online store that cannot be read or written as defined."""


class DamagedStoreError(StoreError):
    """An online store whose files are damaged: they can only be replaced."""


class TrainingError(RankloopError):
    """Examples that no model may be trained on, or a training that diverged."""


class BundleError(RankloopError):
    """A bundle that is missing, tampered with, or made for another feature revision."""


class UnverifiedBundleError(BundleError):
    """A bundle that is not what was published, or that nobody who is trusted has signed."""


class RegistryError(RankloopError):
    """A registry of images that cannot be reached, refuses, or lacks what is asked for."""


class PromotionError(RankloopError):
    """A promotion or rollback that the verdict or the history does not allow."""


class PromotionHeldError(PromotionError):
    """A promotion that is not proposed now and is no failure: it waits, or a person has decided against it."""


class HomeBusyError(RankloopError):
    """Another run holds the lock of this home."""


def no_space(place: str) -> str:
    """Return what to do about a full disk."""
    return f"no space is left on the disk of {place}; free some and run again"


def is_out_of_space(error: BaseException) -> bool:
    """Return whether an error of any library says that a disk is full."""
    said = (os.strerror(number) for number in NO_SPACE)
    return getattr(error, "errno", None) in NO_SPACE or any(words in str(error) for words in said)
