"""The content of a message as text."""

from __future__ import annotations

from batch.codec import encode_json


def words_of(content: object) -> str:
    """Return text unchanged, an image as its address or its type and size, and anything else as JSON."""
    if isinstance(content, str):
        return content
    return "\n".join(map(_part, content)) if isinstance(content, list) else encode_json(content).decode()


def _part(part: object) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return f"[image: {_address(url)}]"
        case _:
            return encode_json(part).decode()


def _address(url: str) -> str:
    kind, is_inside, data = url.partition(";base64,")
    if is_inside and kind.startswith("data:"):
        return f"{kind.removeprefix('data:')}, {len(data.rstrip('=')) * 3 // 4} bytes"
    return url
