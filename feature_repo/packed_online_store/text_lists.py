"""Lists of strings and of bytes as bytes: repeated field 1 of a protobuf message, as in Feast's StringList."""

from collections.abc import Iterable

from components.contracts.errors import StoreError

ITEM = b"\x0a"
"""Field 1, length-delimited."""


def encode_list(items: Iterable[str | bytes | None]) -> bytes:
    """Serialize a list; a missing string becomes an empty one, as Feast has it."""
    parts: list[bytes] = []
    for item in items:
        data = item.encode() if isinstance(item, str) else (item or b"")
        parts += (ITEM, _varint(len(data)), data)
    return b"".join(parts)


def decode_list(data: bytes) -> list[bytes]:
    """Read back what :func:`encode_list`, or protobuf, wrote.

    Raises:
        StoreError: the bytes are something else.
    """
    items, at = [], 0
    try:
        while at < len(data):
            if data[at : at + 1] != ITEM:
                raise StoreError(
                    f"list of texts: found tag {data[at]} at byte {at}, expected {ITEM[0]}; rewrite the row"
                )
            size, at = _read_varint(data, at + 1)
            if at + size > len(data):
                raise IndexError
            items.append(data[at : at + size])
            at += size
    except IndexError:
        raise StoreError(f"list of texts: {len(data)} bytes end inside an item; rewrite the row") from None
    return items


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
