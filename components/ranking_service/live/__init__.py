"""What answers come from: opened from the home, watched, and replaced whole.

::

    home ──▶ loader ──▶ LiveState (arms over one moment's items) ──▶ serving ──▶ the routes
               ▲             bundle_choice, item_snapshots (store, row_counts), fallback_bundle
             watcher         a thread: looks at the home every second, and writes sessions

``clocks`` tell the home's time; ``readings`` shows all of this on ``/metrics``.
"""
