"""What an erasure leaves, in words for its receipt: with the command, where somebody else can delete it."""

import shlex
from collections.abc import Iterator, Sequence

from components.home.storage.documents import has_versions
from components.home.storage.locations import BucketPath

ALWAYS = (
    "counts and sums over many users, such as an item's popularity or a run's row counts: they name nobody",
    "models that were trained before: they hold no ids; the next run trains without this user",
    "the shop's own sources: the tombstone keeps what they say of this user out of every later run",
    "ids in rows of others that are read or logged from now on: where they hold this one, forget the user again",
)
UNREPEATABLE = "runs before this one cannot be repeated: the versions of the tables that they read are gone"
ON_A_SERVER = (
    "files that the Redis server saved (RDB, AOF): they hold deleted rows until it saves again (BGSAVE, BGREWRITEAOF);"
    " keys that begin with rl1, which an earlier version wrote: delete them all"
)
CACHES = (
    "caches of other machines (RANKLOOP_CACHE), which hold objects that they fetched before: remove these folders;"
    " those of pods went when the pods ended"
)
WRITERS = (
    "what a service writes that stood still for longer than 90 seconds, if it goes on after this: readers leave it out,"
    " and the next run removes it from the log and from Redis"
)
NODES = (
    "what steps on Kubeflow printed, on the nodes and where the cluster collects logs: kubectl delete pods --namespace"
    " NAMESPACE --selector app.kubernetes.io/part-of=rankloop,workflows.argoproj.io/completed=true"
)
ARCHIVED = (
    "copies of logs that Argo made, where archiveLogs is not false: an administrator searches its objects"
    " (private-artifacts/) for the user"
)
WITHOUT_ROOT = (
    "logs of {runs} runs in Kubeflow's artifact store: forget the user again with --pipeline-root, the"
    " defaultPipelineRoot of the ConfigMap kfp-launcher"
)
NOT_THERE = (
    "logs of {runs} runs on Kubeflow, unless they were deleted: nothing of these runs lies below {root}; compare it"
    " with defaultPipelineRoot of the ConfigMap kfp-launcher"
)


def remains_on_kubeflow(runs: int, root: BucketPath | None, missing: int) -> Iterator[str]:
    """Yield what is left of runs on Kubeflow; ``missing``: how many of them have nothing below ``root``."""
    if root is None:
        yield WITHOUT_ROOT.format(runs=runs)
    elif missing:
        yield NOT_THERE.format(runs=missing, root=root)
    yield from (NODES, ARCHIVED)


def old_versions(folders: Sequence[BucketPath], sample: BucketPath) -> Iterator[str]:
    """Yield the command that deletes old versions in folders of a bucket, a thousand at a time, if it keeps them.

    A thousand is what one request of S3 deletes at most; ``sample`` is an object of the bucket.
    """
    if not folders or not has_versions(sample):
        return
    prefixes = " ".join(shlex.quote(f"{folder.key}/" if folder.key else "") for folder in folders)
    place = f"--bucket {shlex.quote(sample.bucket)}"
    query = "{Objects: Versions[?!IsLatest] | [:1000].{Key: Key, VersionId: VersionId}, Quiet: `true`}"
    listing = f"aws s3api list-object-versions {place} --prefix \"$prefix\" --query '{query}' --output json"
    yield (
        f"old versions of objects in {sample.bucket}, because that bucket keeps them: an administrator repeats this"
        f" until it lists none: for prefix in {prefixes}; do {listing} > old.json;"
        f" aws s3api delete-objects {place} --delete file://old.json; done"
    )
