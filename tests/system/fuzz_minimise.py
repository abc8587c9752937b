"""Minimizes a failing body: removes events and JSON values, and shortens texts."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def smallest(body: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return a small body for which ``fails`` still holds; the body itself if no smaller one does."""
    body = _plainer(body, fails)
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller(body):
            if len(smaller) < len(body) and fails(smaller):
                body, shrunk = smaller, True
                break
    return body


def _plainer(body: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """With LF for every line end, where that changes nothing."""
    plain = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return plain if fails(plain) else body


def _smaller(body: bytes) -> Iterator[bytes]:
    blocks = body.split(b"\n\n")
    for size in (8, 4, 2, 1):
        for start in range(0, len(blocks), size):
            yield b"\n\n".join(blocks[:start] + blocks[start + size :])
    for place, block in enumerate(blocks):
        for smaller in _smaller_block(block):
            yield b"\n\n".join([*blocks[:place], smaller, *blocks[place + 1 :]])


def _smaller_block(block: bytes) -> Iterator[bytes]:
    *before, text = re.split(rb"(data: ?)", block, maxsplit=1)
    if before and before[0]:
        yield before[1] + text
    try:
        value = json.loads(text)
    except ValueError:
        return
    for smaller in _smaller_value(value):
        yield b"".join(before) + json.dumps(smaller, separators=(",", ":")).encode()


def _smaller_value(value: Any) -> Iterator[Any]:
    """The value without one of its parts, or with a shorter one."""
    if isinstance(value, str) and len(value) > 1:
        yield from (value[:1], value[: len(value) // 2], value[1:])
    elif isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            without = copy.copy(value)
            del without[key]
            yield without
            if key == "finish_reason":
                continue  # half a word is another reason
            for inner in _smaller_value(value[key]):
                changed: Any = copy.copy(value)
                changed[key] = inner
                yield changed
