"""From a request to a list.

::

    RankingQuery ──▶ answer_queue ──▶ batching ──▶ recommender.prepare ──▶ score, several at once ──▶ finish ──▶ Answer
                     (fair_queue,                  online_rows (breaker),
                      admission)                   sessions, catalogue

Nothing here knows HTTP, or where bundles come from: a recommender is given its bundle, items and store.
"""
