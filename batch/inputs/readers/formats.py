"""Documents that are no plain text: HTML, PDF, Word and their like, through kreuzberg (extra ``documents``).

The ending says what a document is. Nothing that a document names is fetched, and images are not read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from batch.diagnostics import shown

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
"""What is read through kreuzberg, by its ending; everything else is text as it stands."""


class FormatError(ValueError):
    """A document whose text cannot be had. ``what`` is wrong, and ``hint`` may be empty.

    ``is_blank``: it can be read, and holds no text.
    """

    def __init__(self, what: str, hint: str = "", *, is_blank: bool = False) -> None:
        self.what = what
        self.is_blank = is_blank
        self.hint = hint
        super().__init__(what)


def text_of(data: bytes, suffix: str) -> str:
    """The text of a document with one of the endings in ``MIME_TYPES``. Raises ``FormatError``."""
    try:
        import kreuzberg  # noqa: PLC0415 - large, and an extra
    except ImportError:
        what = f"`{suffix}` needs kreuzberg, which is not installed"
        raise FormatError(what, "pip install 'promptjobs[documents]'") from None
    try:
        result = kreuzberg.extract_bytes_sync(data, MIME_TYPES[suffix], config=_config())
    except (kreuzberg.KreuzbergError, OSError, ValueError, RuntimeError) as error:
        raise FormatError(f"cannot be read as {suffix[1:].upper()}: {shown(str(error))}") from None
    if not result.content.strip():
        raise FormatError("has no text", "pages that are images are not read", is_blank=True)
    return str(result.content)


@cache
def _config() -> Any:
    """Plain text, no cache beside the documents, and no reading of images."""
    from kreuzberg import ExtractionConfig  # noqa: PLC0415

    config: Any = ExtractionConfig  # its type stubs do not know of `disable_ocr`
    return config(use_cache=False, disable_ocr=True)
