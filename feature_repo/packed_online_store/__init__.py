"""The packed online store: one value an entity, with a fixed layout.

::

    Arrow table ─▶ codec ─▶ rows as bytes ─▶ client ─▶ a backend (LMDB, Redis)
    matrix of features ◀─ rows ◀─────────────── client ◀─

It imports without Feast; only the folder ``feast`` knows it.
"""
