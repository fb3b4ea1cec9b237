"""The ranking service.

::

    service          BentoML's class: builds what follows from the settings, once
    edge             around every request: access (api_keys), admission, connections (room), visits; then measures
                     (counters, click_through), request_log, tracing; draining when it ends
    routes           the table of routes, each declared once as a route: who answers what, and how it is let in;
                     endpoints are rankings, taking_events, page/endpoints; openapi describes them
                     bodies are read by schemas; refusals end as problems
    serving          one process's parts from start to end; readings shows their numbers
    live             what answers come from, replaced whole by reloading, opened by opening (stand_in)
    recommender      how answers are made: from online_rows (breaker) and sessions, timed by a stopwatch; those that
                     had to wait are made together
    arms             which arm a user is in
    catalogue        the shop's words; purchases and page/storefront show them on the page
"""
