"""A digest of the state of a shop's sources, cheap enough to take before every run."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from components.contracts.feedback import SERVED_SOURCE
from components.feedback.segments.layout import has_feedback
from components.home.layout import Home
from components.ingest_events.reader import SourceContext, open_reader
from components.shop.settings import Shop
from components.shop.sources import Source


def sources_fingerprint(shop: Shop, home: Home | None = None) -> str:
    """Digest every source by what its reader says of its content.

    Args:
        home: digest what its service logged, too.

    Raises:
        SourceError: a source cannot be reached.
    """
    digest, now = hashlib.sha256(), datetime.now(UTC)
    for name, source in _sources(shop, home):
        context = SourceContext(where=name, table=name, zone=shop.zone, now=now, home=home)
        for part in open_reader(source, context).fingerprint():
            digest.update(repr((name, *part)).encode())
    return digest.hexdigest()[:16]


def _sources(shop: Shop, home: Home | None) -> Iterator[tuple[str, Source]]:
    """Yield every source of a shop, and of its service, by its name."""
    for events in shop.events:
        yield events.name, events.source
    for section in ("items", "users", "promotions", "impressions"):
        described = getattr(shop, section)
        if described is not None:
            yield section, described.source
    if home is not None and has_feedback(home):
        yield SERVED_SOURCE, shop.feedback
