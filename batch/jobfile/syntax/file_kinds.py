"""Recognize files of another type by their first bytes, and say what to do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.diagnostics import Problem

HEAD = 512
"""Bytes that are enough to recognize a file."""

_TABLE = "save it as CSV, JSON Lines or Parquet"
_PARQUET = ("is a Parquet file", "`inputs.parquet` reads it")
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "is compressed with gzip", "unpack it first: `gunzip FILE`"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "unpack it first: `unzstd FILE`"),
    (b"BZh", "is compressed with bzip2", "unpack it first: `bunzip2 FILE`"),
    (b"\xfd7zXZ\x00", "is compressed with xz", "unpack it first: `unxz FILE`"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it first"),
    (b"\xff\x06\x00\x00sNaPpY", "is compressed with snappy", "unpack it first"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4", "unpack it first: `unlz4 FILE`"),
    (b"PAR1", *_PARQUET),
    (b"PARE", "is an encrypted Parquet file", "write it without encryption"),
    (b"ARROW1", "is an Arrow (Feather) file", _TABLE),
    (b"ORC", "is an ORC file", _TABLE),
    (b"Obj\x01", "is an Avro file", _TABLE),
    (b"SQLite format 3\x00", "is an SQLite database", "export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel or Office file", "save the sheet as CSV UTF-8"),
    (b"%PDF-", "is a PDF document", "`inputs.files` reads documents"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself", "run `git lfs pull`"),
    (b"\x80\x02", "is a Python pickle", _TABLE),
    (b"\x80\x03", "is a Python pickle", _TABLE),
    (b"\x80\x04", "is a Python pickle", _TABLE),
    (b"\x80\x05", "is a Python pickle", _TABLE),
    (b"\x89HDF", "is an HDF5 file", _TABLE),
)
_PAGES = (b"<!doctype html", b"<html")
_DUCKDB = b"DUCK"


def foreign(head: bytes, expected: str) -> Problem | None:
    """Return what a file that begins with ``head`` is, and a hint; ``None`` for the ``expected`` type."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    if head[8:12] == _DUCKDB:
        return "is a DuckDB database", "export the table: `COPY table TO 'rows.parquet'`"
    for magic, what, hint in _MAGIC:
        if head.startswith(magic) and (what, hint) != (_PARQUET if expected == "parquet" else None):
            # Letters may also begin a header; a byte outside printable text decides.
            return None if magic.isalnum() and _is_text(head) else (what, hint)
    if head.lstrip()[:20].lower().startswith(_PAGES):
        return "is an HTML page, perhaps that of an error or a login", "download the file itself"
    return None


def _zip(head: bytes) -> Problem:
    if b"[Content_Types].xml" in head or b"xl/" in head or b"_rels/.rels" in head:
        return "is an Excel or Office file", "save the sheet as CSV UTF-8 (File, Save As)"
    if b"application/vnd.oasis.opendocument" in head:
        return "is an OpenDocument file", "save the sheet as CSV (UTF-8)"
    return "is a zip archive", "unpack it first: `unzip FILE`"


def _is_text(head: bytes) -> bool:
    return all(byte >= 0x20 or byte in b"\t\r\n" for byte in head)
