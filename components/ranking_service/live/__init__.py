"""What answers come from: opened from the home, watched, and replaced whole.

::

    home ──▶ loader ──▶ LiveState (arms over one moment's items) ──▶ serving ──▶ the routes
               ▲             bundle_choice, item_snapshots (store, row_counts), fallback_bundle
             watcher         a thread: looks at the home every second

    sessions ──▶ session_writer ──▶ online store     a thread of its own: within 200 ms other processes have them

``clocks`` tell the home's time, on which its services agree by ``kept_clock``; ``readings`` shows all of this on
``/metrics``.
"""
