"""A small home with online rows and a promoted bundle of random trees, and the service over it."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import xgboost
from starlette.types import ASGIApp

from components.build_features.snapshots import build_features
from components.bundles.drafting import Draft, write_draft
from components.bundles.loading import Bundle, load_ranker
from components.bundles.manifest import Part
from components.bundles.promotion import promote
from components.bundles.scoring import ranker_from
from components.bundles.store import publish_folder
from components.bundles.warmup import Warmup
from components.contracts.moments import EPOCH, MICROSECOND
from components.features.snapshots.sets import FeatureSet, open_set
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.materialize_features.catalogue import put_catalogue
from components.materialize_features.packed_rows import advance_clock, leave_inventory, open_client, write_newest
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.candidates import candidate_pool
from components.ranking.features import FEATURE_NAMES
from components.ranking_service.answering.answers import Answer, RankingQuery
from components.ranking_service.answering.batching import answer_together
from components.ranking_service.answering.catalogue import read_catalogue
from components.ranking_service.answering.online_rows import OnlineRows
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.score_reference import score_reference
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import LiveSettings, ServiceSettings
from components.ranking_service.telemetry.measures import Measures
from components.shop.settings import Candidates
from tests.components.build_features.homes import habits, quiet, small_shop, write_clean
from tests.components.bundles.drafts import baseline_draft, small_manifest
from tests.components.features.frames import clean_tables

PATIENCE_SECONDS = 120
PROMOTED_AT = "2024-03-11T00:00:00+00:00"

CATALOGUE: list[dict[str, Any]] = [
    {
        "item_id": f"i{number:02}",
        "category": [("DAIRY", "BREAD", "FRUIT")[number % 3]],
        "brand": "AB"[number % 2],
        "price": 1.0 + number % 5,
        "title": f"Item {number}",
    }
    for number in range(12)
]
WORDED = {
    "source": {"kind": "parquet", "path": "items.parquet"},
    "item": "item",
    "category": ["section"],
    "brand": "brand",
    "price": "price",
    "title": "title",
}


@dataclass(frozen=True)
class Stocked:
    """A home whose newest rows are online, and the bundle that is promoted there."""

    home: Home
    features: FeatureSet
    bundle: Bundle

    @property
    def now(self) -> int:
        """The home's as-of, in microseconds since 1970."""
        return (self.features.as_of - EPOCH) // MICROSECOND


def stocked(folder: Path, root: Location | None = None) -> Stocked:
    """Build the small shop's features, put them online, publish a bundle for them and promote it."""
    home = Home(root or folder / "home")
    clean = write_clean(home, clean_tables(habits(), CATALOGUE))
    write_shop_note(home, ShopNote("small", "small.toml"))
    features = open_set(build_features(small_shop(items=WORDED), home, clean, quiet).handle)
    put_online(home, features)
    bundle = published(home, folder, random_trees(features.revision))
    promote(home, "small", bundle.digest, "local", PROMOTED_AT)
    return Stocked(home, features, bundle)


def moved_to(shop: Stocked, online_url: str) -> Stocked:
    """Name another online store in the home, and write the rows there."""
    write_document(shop.home.online_url_file, online_url.encode())
    put_online(shop.home, shop.features)
    return shop


def put_online(home: Home, features: FeatureSet) -> None:
    """Write the newest rows to the home's store."""
    with open_client(home, features) as client:
        put_catalogue(home, client)
        write_newest(client, features)
        leave_inventory(home, client, features)
        advance_clock(client, features)


def published(home: Home, folder: Path, draft: Draft) -> Bundle:
    """Publish a draft that the gate let through."""
    drafted = write_draft(folder / "draft", draft)
    verdict = {"promote": True, "checks": [], "best_baseline": "popularity"}
    return publish_folder(home.models, drafted, replace(drafted.sidecar, verdict=verdict))


def random_trees(revision: str, seed: int = 5, **changes: Any) -> Draft:
    """A ranker of all features that learned noise: what matters is that it tells rows apart."""
    random = np.random.default_rng(seed)
    rows = random.lognormal(0, 2, size=(400, len(FEATURE_NAMES))).astype(np.float32)
    matrix = xgboost.DMatrix(rows, label=np.log(rows) @ random.normal(size=len(FEATURE_NAMES)), missing=np.nan)
    parameters = {"max_depth": 6, "colsample_bytree": 0.2, "nthread": 1, "seed": 1}
    booster = xgboost.train(parameters, matrix, 60)
    manifest = small_manifest(revision, kind="ranker", baseline=None, blend=(Part("logit"),), **changes)
    models = {"logit": bytes(booster.save_raw("ubj"))}
    baselines = np.zeros((len(rows), len(BASELINE_NAMES)), dtype=np.float32)
    warmup = Warmup(rows, baselines, ranker_from(manifest, models).score(rows, baselines))
    return Draft(manifest, models, b'{"format":1,"tables":{}}', warmup, baseline_draft().sidecar)


@contextmanager
def recommender(shop: Stocked, sessions: Sessions | None = None) -> Iterator[Recommender]:
    """Answer from the home's store, at its as-of."""
    with open_client(shop.home, shop.features) as client:
        rows = OnlineRows(client)
        items = rows.items().rows
        stock = candidate_pool(items, Candidates(**shop.bundle.manifest.candidates))
        catalogue = read_catalogue(client, items, "run again")
        held = sessions or Sessions()
        ranker, reference = load_ranker(shop.bundle), score_reference(shop.bundle)
        yield Recommender(shop.bundle, ranker, rows, stock, catalogue, held, lambda: shop.now, reference=reference)


def listed(found: Recommender, user_id: str, k: int = 5, **more: Any) -> Answer:
    """Ask a recommender for a list."""
    return answered(found, RankingQuery(user_id, k=k, **more))


def ordered(found: Recommender, user_id: str, items: Sequence[str]) -> Answer:
    """Ask a recommender for the order of given items."""
    return answered(found, RankingQuery(user_id, items=items))


def answered(found: Recommender, query: RankingQuery) -> Answer:
    """Answer one query alone."""
    (answer,) = answer_together([partial(found.prepare, query)])
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, Answer)
    return answer


def item_ids(answer: Answer) -> Sequence[str]:
    """Ids of an answer's items, best first."""
    return [item.item_id for item in answer.items]


@contextmanager
def serving(
    home: Home, settings: ServiceSettings | None = None, bundle: str | None = None, **live: Any
) -> Iterator[Serving]:
    """Start a home's service, and stop it at the end."""
    found = Serving(settings or ServiceSettings(home, bundle=bundle, live=LiveSettings(**live)), Measures())
    found.start()
    try:
        yield found
    finally:
        found.stop()
        gc.unfreeze()


class Caller:
    """Asks an application, without a server between."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("POST", path, **request)

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def answered() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.request(method, path, **request)

        return asyncio.run(answered())

    def crowd(self, asked: Sequence[tuple[str, Any]]) -> list[httpx.Response]:
        """Post documents to their paths all at once."""

        async def answered() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await asyncio.gather(*(client.post(path, json=document) for path, document in asked))

        return asyncio.run(answered())

    def recommend(self, user_id: str, **more: Any) -> Any:
        """Ask for a list, and return the document of the answer."""
        answered = self.post("/v1/recommend", json={"user_id": user_id, **more})
        assert answered.status_code == 200, answered.text
        return answered.json()


def caller_of(service: Serving) -> Caller:
    """Ask the routes over a service."""
    app = ranking_app()
    app.state.serving = service
    return Caller(app)
