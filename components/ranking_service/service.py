"""The BentoML service: ``bentoml serve components.ranking_service.service:RankingService``."""

import gc
import os

import bentoml

from components.ranking_service.opening import open_recommender
from components.ranking_service.routes import ranking_app
from components.ranking_service.settings import settings_from

TIMEOUT_SECONDS = 2.0
"""BentoML 1.4.39 never cancels the timer that it sets for a request, so all requests of this time stay in memory; an
answer takes a hundredth of it, and a body may take half."""

app = ranking_app()


@bentoml.service(name="rankloop", workers=1, traffic={"timeout": TIMEOUT_SECONDS})
@bentoml.asgi_app(app)
class RankingService:
    """Answers from the bundle that an environment serves."""

    def __init__(self) -> None:
        """Open the live bundle and its rows, and let the garbage collector never look at them again."""
        app.state.recommender = open_recommender(settings_from(os.environ))
        gc.collect()
        gc.freeze()
