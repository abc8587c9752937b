"""The answers of the soak: each is a function of its prompt and contains a checksum."""

from __future__ import annotations

import hashlib
import zlib

_SCRIPTS = ("é", "日本", "😀", '"quoted"', "back\\slash", "line\nend", "\u2028", "data: [DONE]")


def pieces(prompt: str) -> list[str]:
    """The answer to a prompt in the pieces in which it is streamed: 4 to 11 of them."""
    digest = hashlib.sha256(prompt.encode()).digest()
    said = [f"{byte:02x}{_SCRIPTS[byte % len(_SCRIPTS)]} " for byte in digest[: 3 + digest[0] % 8]]
    text = "".join(said) + prompt
    return [*said, f"{prompt} #{zlib.crc32(text.encode()):08x}"]


def is_right(prompt: str, text: str | None) -> bool:
    """Whether a text is the answer to a prompt, whole and unmixed."""
    if text is None:
        return False
    said, _, checksum = text.rpartition(" #")
    return (
        said.endswith(prompt)
        and f"{zlib.crc32(said.encode()):08x}" == checksum
        and text == "".join(pieces(prompt))
    )
