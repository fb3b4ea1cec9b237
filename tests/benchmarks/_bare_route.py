"""A bare ASGI route that scores a ready matrix with the demo's model: what an answer costs without joining features."""

import os
from pathlib import Path

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from components.bundles.loading import load_ranker
from components.bundles.promotion import named_bundle
from components.bundles.warmup import read_warmup
from components.contracts.home import Home

CANDIDATES, K = 300, 10

_home = Home(Path(os.environ["RANKLOOP_HOME"]))
_bundle = named_bundle(_home, os.environ["RANKLOOP_SHOP"], "champion")
_ranker = load_ranker(_bundle)
_rows = read_warmup(_bundle.folder)
_at = np.arange(CANDIDATES) % len(_rows.features)
_features, _baselines = np.ascontiguousarray(_rows.features[_at]), np.ascontiguousarray(_rows.baselines[_at])


async def score(request: Request) -> Response:
    """Score the rows and answer with the best ones."""
    await request.body()
    scores = _ranker.score(_features, _baselines)
    best = np.argsort(-scores)[:K]
    items = [{"item_id": str(item), "score": float(scores[item])} for item in best.tolist()]
    return Response(orjson.dumps({"items": items}), media_type="application/json")


async def ready(_: Request) -> Response:
    """Say that it answers."""
    return PlainTextResponse("ready")


app = Starlette(routes=[Route("/v1/recommend", score, methods=["POST"]), Route("/readyz", ready)])
