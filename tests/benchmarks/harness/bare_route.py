"""Bare ASGI routes that score a user's ready matrix with the live model: an answer without joining its features.

One asks the model as everybody does, by XGBoost's ``inplace_predict``; the other by the bundle's own, faster call, so
that nothing is left between it and ours but features, candidates and service.

The matrices are those that the service would make, of every user; a single one, again and again, would be learnt by
heart by the processor, which no traffic allows.
"""

import os
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from components.bundles.batch import Batch, open_batch
from components.bundles.promotion import named_bundle
from components.bundles.scoring import BlendRanker
from components.features.snapshots.sets import current_set
from components.home.layout import Home
from components.ranking.candidates import candidate_pool, candidates_of
from components.ranking.features import ranking_features
from components.ranking.recommending import users_between
from components.shop.settings import Candidates
from tests.benchmarks.harness.served import BY_BUNDLE, BY_LIBRARY

K = 10


def matrices_of(batch: Batch) -> dict[str, NDArray[np.float32]]:
    """The features of each user's candidates."""
    stock = candidate_pool(batch.items, Candidates(**batch.bundle.manifest.candidates))
    found = {}
    for place, user in enumerate(batch.users.user_ids):
        alone = users_between(batch.users, place, place + 1)
        found[str(user)] = ranking_features(alone, batch.items, candidates_of(alone, stock))
    return found


_home = Home(Path(os.environ["RANKLOOP_HOME"]))
_bundle = named_bundle(_home, os.environ["RANKLOOP_SHOP"], "champion")
_batch = open_batch(_bundle, current_set(_home.features), threads=1)
assert isinstance(_batch.ranker, BlendRanker), "a baseline has no trees"
_boosters = _batch.ranker.parts
_matrices = matrices_of(_batch)


def by_library(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The blend of the boosters' margins, as XGBoost's documentation asks for them."""
    margins = ((part, booster.inplace_predict(rows, predict_type="margin")) for part, booster in _boosters)
    return np.sum([part.weight * (margin - part.centre) / part.scale for part, margin in margins], axis=0)


def by_bundle(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bundle's own scores."""
    return _batch.ranker.score(rows, np.empty((len(rows), 0), dtype=np.float32))


async def score(request: Request) -> Response:
    """Score a user's rows and answer with the best ones."""
    rows = _matrices[orjson.loads(await request.body())["user_id"]]
    scores = SCORES[request.url.path](rows)
    best = np.argsort(-scores)[:K]
    items = [{"item_id": str(item), "score": float(scores[item])} for item in best.tolist()]
    return Response(orjson.dumps({"items": items}), media_type="application/json")


def check_alike() -> None:
    """Hold that both routes score the same."""
    rows = next(iter(_matrices.values()))
    np.testing.assert_allclose(by_library(rows), by_bundle(rows), rtol=1e-5, atol=1e-5)


async def ready(_: Request) -> Response:
    """Say that it answers."""
    return PlainTextResponse("ready")


check_alike()
SCORES = {BY_LIBRARY: by_library, BY_BUNDLE: by_bundle}
app = Starlette(routes=[*(Route(path, score, methods=["POST"]) for path in SCORES), Route("/readyz", ready)])
