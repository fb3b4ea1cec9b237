"""Byte order marks: the encodings that files and request bodies begin with."""

import codecs

UTF_8 = "utf-8"
MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: UTF_8,
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def mark_of(content: bytes) -> bytes:
    """Return the byte order mark, a key of ``MARKS``, that a content begins with; empty without one."""
    return next((mark for mark in MARKS if content.startswith(mark)), b"")
