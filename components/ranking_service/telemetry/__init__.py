"""What the service reports of itself: metrics (measures, counters, click_through), the request log, traces.

Everything is made of a ``RequestContext`` once its request was answered; ``components/contracts/metrics.py`` declares
the metrics.
"""
