"""The bundle: what is trained, tested, published, promoted and served as one unit.

::

    draft ─▶ verdict ─▶ published, named by its digest ─▶ loaded and checked ─▶ scores, reasons
                                 ▲
    environment ── pointer ──────┘ moved by promotion and rollback only
"""
