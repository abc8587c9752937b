"""The text of a document, by its suffix: used unchanged, or converted from PDF, Word, HTML and others."""

from __future__ import annotations

from functools import cache
from typing import Any

from batch.diagnostics import shown
from batch.inputs.readers.encodings import NO_TEXT, decoded

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
MIME_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".pdf": "application/pdf",
    ".docx": _OFFICE + "wordprocessingml.document",
    ".pptx": _OFFICE + "presentationml.presentation",
    ".xlsx": _OFFICE + "spreadsheetml.sheet",
    ".odt": _OPEN + "text",
    ".ods": _OPEN + "spreadsheet",
    ".rtf": "application/rtf",
    ".epub": "application/epub+zip",
}
"""The suffixes that kreuzberg reads; all others are read as text."""


class FormatError(ValueError):
    """A document whose text cannot be read. ``what`` is the error; ``hint`` may be empty.

    ``is_blank``: it can be read, and contains no text. Unless ``is_of_document``, it may be readable on
    another machine.
    """

    def __init__(
        self, what: str, hint: str = "", *, is_blank: bool = False, is_of_document: bool = True
    ) -> None:
        self.what = what
        self.is_blank = is_blank
        self.is_of_document = is_of_document
        self.hint = hint
        super().__init__(what)


def text_of(data: bytes, suffix: str) -> tuple[str, str]:
    """Return a document's text, and a notice or an empty text. Raises ``FormatError``."""
    if suffix in MIME_TYPES:
        return _converted(data, suffix), ""
    if (found := decoded(data)) is None:
        raise FormatError(NO_TEXT, "save the document as UTF-8")
    text, encoding = found
    return text, encoding.notice if encoding.guessed else ""


def _converted(data: bytes, suffix: str) -> str:
    """Return the text of a document with a suffix in ``MIME_TYPES``. Raises ``FormatError``."""
    try:
        import kreuzberg  # noqa: PLC0415 - large, and an extra
    except ImportError:
        what = f"`{suffix}` needs kreuzberg, which is not installed"
        hint = "pip install 'promptjobs[documents]'"
        raise FormatError(what, hint, is_of_document=False) from None
    try:
        result = kreuzberg.extract_bytes_sync(data, MIME_TYPES[suffix], config=_config())
    except (kreuzberg.KreuzbergError, OSError, ValueError, RuntimeError) as error:
        raise FormatError(f"cannot be read as {suffix[1:].upper()}: {shown(str(error))}") from None
    if not result.content.strip():
        raise FormatError("has no text", "images are not read", is_blank=True)
    return str(result.content)


@cache
def _config() -> Any:
    """Configure kreuzberg: plain text, no cache beside the documents, no OCR."""
    from kreuzberg import ExtractionConfig  # noqa: PLC0415

    config: Any = ExtractionConfig  # its type stubs lack `disable_ocr`
    return config(use_cache=False, disable_ocr=True)
