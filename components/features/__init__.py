"""The feature definitions, and the snapshots that they give.

::

    inputs      interactions, purchase lines, trips and the catalogue at one time
       ▼
    views       the columns of a user and of an item, as Ibis expressions
       ▼
    snapshots   the rows of a view for a day, stored in the pool and listed by sets
"""
