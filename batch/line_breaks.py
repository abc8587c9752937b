"""The line breaks of a text, as YAML counts them."""

from __future__ import annotations

import re

_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their breaks, which are those of YAML 1.1 (section 4.2).

    The positions of libyaml count these breaks and no others.
    """
    return _BREAK.split(text)
