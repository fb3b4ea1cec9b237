"""A bare ASGI route that scores a user's ready matrix with the live model: an answer without joining its features.

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
from components.contracts.home import Home
from components.contracts.shop import Candidates
from components.features.sets import read_set
from components.ranking.candidates import assortment, candidates_of
from components.ranking.features import ranking_features
from components.ranking.recommending import users_between

K = 10


def matrices_of(batch: Batch) -> dict[str, NDArray[np.float32]]:
    """The features of each user's candidates."""
    stock = assortment(batch.items, Candidates(**batch.bundle.manifest.candidates))
    found = {}
    for place, user in enumerate(batch.users.user_ids):
        alone = users_between(batch.users, place, place + 1)
        found[str(user)] = ranking_features(alone, batch.items, candidates_of(alone, stock))
    return found


_home = Home(Path(os.environ["RANKLOOP_HOME"]))
_bundle = named_bundle(_home, os.environ["RANKLOOP_SHOP"], "champion")
_batch = open_batch(_bundle, read_set(_home.features / "current"), threads=1)
_matrices = matrices_of(_batch)


async def score(request: Request) -> Response:
    """Score a user's rows and answer with the best ones."""
    rows = _matrices[orjson.loads(await request.body())["user_id"]]
    scores = _batch.ranker.score(rows, np.empty((len(rows), 0), dtype=np.float32))
    best = np.argsort(-scores)[:K]
    items = [{"item_id": str(item), "score": float(scores[item])} for item in best.tolist()]
    return Response(orjson.dumps({"items": items}), media_type="application/json")


async def ready(_: Request) -> Response:
    """Say that it answers."""
    return PlainTextResponse("ready")


app = Starlette(routes=[Route("/v1/recommend", score, methods=["POST"]), Route("/readyz", ready)])
