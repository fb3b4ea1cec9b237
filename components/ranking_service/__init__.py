"""The ranking service.

::

    service          BentoML's class: builds what follows from the settings, once (each declared as a setting)
    edge             around every request: access (api_keys), admission, connections; a request's context; then measures
                     (counters, click_through), request_log, tracing; draining when it ends
    routes           the table of routes, each declared once as a route: who answers what, and how it is let in;
                     endpoints are rankings, taking_events, page_routes; openapi describes them
                     bodies are read by schemas; refusals end as problems
    serving          one process's parts from start to end; readings shows their numbers
    live/state       what answers come from at one time; live/watcher replaces it whole, live/loader makes it of
                     bundle_choice, item_snapshots (of the store) and fallback_bundle; live/session_writer writes what
                     users did to the store, and live/clocks tell the home's time: both are shared with other processes
    answer_queue     makes answers in a fair order (fair_queue); batching scores those that had to wait at once
    recommender      how an answer is prepared and finished: from online_rows (breaker) and sessions
    arms             which arm a user is in
    catalogue        the shop's words; purchases and page/storefront show them on the page
"""
