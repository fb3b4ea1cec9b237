"""The kinds of sources, one reader module each.

::

    settings of a kind           a reader of that kind             the caller
    (components.shop.sources)
    FileSource      ────────▶    files          stage() ────────▶  maps the staged relations,
    DeltaSource     ────────▶    delta_tables   fingerprint()      drops rows that are known,
    SqlSource       ────────▶    sql_tables                        commits rows and offsets together
    FeedbackSource  ────────▶    feedback                          (incremental, full_refresh)

``reader`` says what a reader is, and opens the one of a source. Nothing outside this folder asks for a source's kind.
"""
