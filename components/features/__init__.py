"""The feature definitions, and the snapshots made by them.

::

    inputs      interactions, purchase lines, trips and the catalogue at one time
       ▼
    views       the columns of a user and of an item, as Ibis expressions
       ▼
    snapshots   the rows of a view for a day, kept in the pool and put together as sets
"""
