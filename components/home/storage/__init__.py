"""A home's bytes, in a folder or in a bucket, by their nature.

::

    locations   where something lies: a path, or a key of a bucket
    documents   small, one writer at a time: replaced whole, created once, or changed by compare-and-swap
    objects     immutable: created once, fetched once into a bounded cache, checked against their digest
    scratch     copies of objects that are looked at once
    lease       the lock of a home in a bucket: it expires, is renewed, and belongs to a run, not to a process
    proof       whether a store keeps its promises, before anyone trusts it

Tables are ``components.lake``'s: delta-rs commits by the same conditional puts.
"""
