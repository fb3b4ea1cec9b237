"""A run that appends rows under its lease until it loses it: ``python -m … BUCKET KEY``; it says each row it wrote."""

import sys
from itertools import count

import pyarrow as pa

from components.contracts.errors import HomeBusyError, SourceError
from components.home.storage.lease import take_lease
from components.home.storage.locations import BucketPath
from components.lake.tables import append_rows

SCHEMA = pa.schema([("number", pa.int64())])
LEASE_SECONDS = 3.0


def write_until_lost(home: BucketPath) -> None:
    """Append one row after the other, each a commit."""
    lease = take_lease(home / "lock", "paused", LEASE_SECONDS)
    with lease.kept_alive():
        for number in count():
            append_rows(home / "table", pa.table({"number": [number]}, SCHEMA), {"number": number})
            print(number, flush=True)


if __name__ == "__main__":
    try:
        write_until_lost(BucketPath(sys.argv[1], sys.argv[2]))
    except (HomeBusyError, SourceError) as error:  # the latter: the version that it was about to commit is taken
        print(error, flush=True)
