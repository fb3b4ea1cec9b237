"""A folder home as it would be in a bucket: the same tables, snapshots, examples, feedback and runs."""

import shutil
from pathlib import Path

from components.home.disk.presence import files_below
from components.home.layout import Home
from components.home.storage.documents import write_document
from components.home.storage.locations import BucketPath
from components.home.storage.objects import publish_folder
from feature_repo.packed_online_store.backends.opening import open_backend

EXAMPLES = "examples"  # folders of objects, which a listing makes whole
LEFT_OUT = ("online", "models", "feature_store", "lock")


def copy_to_bucket(home: Home, bucket: BucketPath, online_url: str, scratch: Path) -> Home:
    """Copy what a home knows of users, its online rows to another store."""
    assert isinstance(home.root, Path)
    for path in files_below(home.root):
        name = path.relative_to(home.root)
        if name.parts[0] not in LEFT_OUT and not (name.parts[0] == EXAMPLES and len(name.parts) > 2):
            write_document(bucket / name.as_posix(), path.read_bytes())
    for folder in (each for each in (home.root / EXAMPLES).iterdir() if each.is_dir()):
        publish_folder(shutil.copytree(folder, scratch / folder.name), bucket / EXAMPLES / folder.name)
    _copy_rows(home.online_url, online_url)
    return Home(bucket)


def _copy_rows(source_url: str, target_url: str) -> None:
    source, target = open_backend(source_url), open_backend(target_url)
    keys = source.keys(b"")
    for key, row in zip(keys, source.read(keys), strict=True):
        assert row is not None
        target.put(key, row)
    source.close()
    target.close()
