"""The BentoML service: ``bentoml serve components.ranking_service.service:RankingService``."""

import gc
import os

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from components.ranking_service.opening import open_recommender
from components.ranking_service.routes import ranking_app
from components.ranking_service.settings import settings_from

TIMEOUT_SECONDS = 2.0
"""BentoML 1.4.39 never cancels the timer that it sets for a request, so all requests of this time stay in memory; an
answer takes a hundredth of it, and a body may take half."""

BENTOML_ANSWERS = ("/livez", "/readyz", "/healthz", "/metrics")

app = ranking_app()


class OurRoutes:
    """Gives every request to our application; BentoML keeps health and metrics, not its pages and its schema."""

    def __init__(self, bentoml_app: ASGIApp) -> None:
        self._bentoml_app = bentoml_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass the server's start and end on."""
        ours = scope["type"] == "http" and scope["path"] not in BENTOML_ANSWERS
        await (app if ours else self._bentoml_app)(scope, receive, send)


@bentoml.service(name="rankloop", workers=1, traffic={"timeout": TIMEOUT_SECONDS})
@bentoml.asgi_app(app)
class RankingService:
    """Answers from the bundle that an environment serves."""

    def __init__(self) -> None:
        """Open the live bundle and its rows, and let the garbage collector never look at them again."""
        app.state.recommender = open_recommender(settings_from(os.environ))
        gc.collect()
        gc.freeze()


RankingService.add_asgi_middleware(OurRoutes)  # type: ignore[attr-defined] # the decorator is typed as if it kept the class
