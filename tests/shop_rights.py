"""Credentials of shops that share a bucket and a Redis, with the rights that ``docs/kubernetes.md`` gives them."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import redis

SHOPS = ("shop-a", "shop-b")
DOCUMENT = Path(__file__).parents[1] / "docs" / "kubernetes.md"


def s3_identities(bucket: str) -> list[dict[str, Any]]:
    """Return what SeaweedFS is told of each shop, who may use a part of a bucket."""
    return [json.loads(_block(r"\{\n  \"name\".*?\n\}", shop, BUCKET=bucket, KEY=shop, SECRET=shop)) for shop in SHOPS]


def s3_variables(shop: str) -> dict[str, str]:
    """Return the variables by which a shop is known to the store."""
    return {"AWS_ACCESS_KEY_ID": shop, "AWS_SECRET_ACCESS_KEY": shop}


def redis_url_of(shop: str, url: str) -> str:
    """Make a shop's user in a server that its administrator reaches at a URL, and return the shop's URL."""
    with closing(redis.Redis.from_url(url)) as server:
        server.execute_command(*_block("ACL SETUSER.*?\n```", shop, PASSWORD=shop).removesuffix("```").split())
    return _block(r"redis://[^`]*prefix=[^`]*", shop, PASSWORD=shop).replace(
        "redis.example.org:6379/0", url.removeprefix("redis://")
    )


def _block(pattern: str, shop: str, **values: str) -> str:
    """Return what the document says of the shop ``shop-a``, for a shop."""
    match = re.search(pattern, DOCUMENT.read_text(), re.DOTALL)
    assert match, pattern
    text = match[0].replace("shop-a", shop)
    for name, value in values.items():
        text = text.replace(name, value)
    return text
