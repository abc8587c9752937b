"""Images for vision models, as parts of the last user message.

A path must point into the job's directories, symlinks resolved, to a regular file, whose bytes are sent as a
``data:`` URL. An http or https URL is passed on unchanged: the server may fetch it, this program never does.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.files import open_regular, reason
from batch.jobfile.paths import OutsideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.jobfile.paths import Bounds
    from batch.records import JSONObject

MAX_BYTES = 20 * 2**20
"""The maximum size of an image: 20 MiB, the limit of the larger services."""

_URLS = ("https://", "http://", "data:image/")


class ImageError(ValueError):
    """The image ``index`` cannot be sent. ``what`` is the error; ``hint`` may be empty."""

    def __init__(self, index: int, what: str, hint: str = "") -> None:
        self.index = index
        self.what = what
        self.hint = hint
        super().__init__(what)


def with_images(
    messages: Sequence[JSONObject], images: Sequence[str], bounds: Bounds
) -> tuple[JSONObject, ...]:
    """Return the messages, with images added to the last user message. Raises ``ImageError``."""
    at = next((at for at in reversed(range(len(messages))) if messages[at].get("role") == "user"), None)
    if at is None:
        raise ImageError(0, "no user message to add the image to")
    content = messages[at]["content"]
    parts = list(content) if isinstance(content, list) else [{"type": "text", "text": content}]
    for index, image in enumerate(images):
        parts.append({"type": "image_url", "image_url": {"url": _url(index, image, bounds)}})
    return (*messages[:at], {**messages[at], "content": parts}, *messages[at + 1 :])


def _url(index: int, image: str, bounds: Bounds) -> str:
    if image.startswith(_URLS):
        return image
    if "://" in image or image.startswith("data:"):
        raise ImageError(index, f"{shown(image)}: neither a path nor an http or https URL")
    try:
        with open_regular(bounds.resolve(image)) as file:
            data = file.read(MAX_BYTES + 1)
    except OutsideError as error:
        raise ImageError(index, f"{shown(image)}: {error}", "`--allow-path` allows another folder") from None
    except OSError as error:
        raise ImageError(index, f"{shown(image)}: {reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise ImageError(index, f"{shown(image)}: larger than {MAX_BYTES >> 20} MiB")
    if (kind := kind_of(data)) is None:
        raise ImageError(
            index, f"{shown(image)}: not an image", "supported formats are PNG, JPEG, GIF and WebP"
        )
    return f"data:{kind};base64,{b64encode(data).decode()}"


def kind_of(data: bytes) -> str | None:
    """Return the media type of an image, by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None
