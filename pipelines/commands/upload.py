"""``rankloop upload``: a shop's local sources into a bucket, for a cluster."""

from pathlib import Path

import click

from components.home.storage.locations import BucketPath
from pipelines.terminal.options import BucketAddress, shop_option


@click.command("upload")
@click.argument("target", metavar="s3://BUCKET/PREFIX", type=BucketAddress())
@shop_option
def command(target: BucketPath, shop_file: Path) -> None:
    """Copy the shop's local sources into a bucket; print the shop file that reads them there.

    Make the ConfigMap of a cluster from what is printed: `rankloop upload s3://BUCKET/PREFIX > uploaded.toml`,
    then `kubectl create configmap rankloop-shop --from-file shop.toml=uploaded.toml`. Sources that lie in buckets or on
    database servers are read from there. Objects of an earlier upload are replaced, and none is removed.
    """
    from pipelines.upload import moved_shop_file, plan_uploads

    uploads = plan_uploads(shop_file, target)
    text = moved_shop_file(shop_file, uploads)
    for upload in uploads:
        click.echo(f"uploading {upload.written} ({upload.size / 1e6:,.1f} MB) to {upload.moved}", err=True)
        upload.run()
    click.echo(text, nl=False)
