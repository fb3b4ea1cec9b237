"""The ranking service.

::

    service          BentoML's class: builds what follows from the environment, once
    edge             around every request: access (api_keys), admission, connections (room), visits; then measures
                     (counters, click_through), request_log, tracing; draining when it ends
    routes           who answers what: rankings, taking_events, storefront (page/), health, openapi
                     read by bodies and schemas; wrong ones end as problems
    serving          one process's parts from start to end; readings shows their numbers
    live             what answers come from, replaced whole by reloading, opened by opening (stand_in)
    recommender      how answers are made: from online_rows (breaker) and sessions, timed by a stopwatch; those that
                     had to wait are made together
    arms             which arm a user is in
    catalogue        the shop's words; purchases and shop_window tell the page of them
"""
