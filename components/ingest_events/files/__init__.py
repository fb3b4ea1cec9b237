"""The content of a source's files, and how each is read.

::

    locations      which files are data, which are left out and why
        │          (in a bucket: ``buckets``)
        ▼
    relations      files whose columns are mapped alike, as relations of the engine
        ▲
    csv_rows       a CSV's rows in batches, irregular ones cell by cell (``csv_cells``)
        ▲
    csv_dialect    encoding, delimiter and names of one CSV; how its text is decoded: ``csv_text``

Nothing that decides how a file is read is guessed from a sample of its rows: it is said in the shop file, or follows
from the file's first bytes and its header, or is an error.
"""
