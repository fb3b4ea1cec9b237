"""Titles and categories of products, which a run writes into the online store beside the rows: Arrow, compressed."""

import pyarrow as pa

CATALOGUE = pa.schema(
    [
        ("item_id", pa.string()),
        ("category", pa.list_(pa.string())),  # path, widest first
        ("brand", pa.string()),
        ("price", pa.float64()),
        ("title", pa.string()),
        ("sizes", pa.map_(pa.string(), pa.string())),  # the attributes that tell products without a title apart
    ]
)
SIZE = "size"


def is_size(attribute: str) -> bool:
    """Return whether an attribute of a product is a size: it is called so, or ``…_size``."""
    return attribute == SIZE or attribute.endswith(f"_{SIZE}")


def pack_catalogue(table: pa.Table) -> bytes:
    """Write a table of ``CATALOGUE``, one row an item; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, CATALOGUE, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def unpack_catalogue(content: bytes) -> pa.Table:
    """Read what ``pack_catalogue`` wrote.

    Raises:
        ArrowException, ValueError: it is something else.
    """
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all().select(CATALOGUE.names).cast(CATALOGUE)
