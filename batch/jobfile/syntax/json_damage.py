"""Recognize what is wrong with a whole file of JSON Lines, from its first line that is not an object.

Such a file is one error with a fix, and not one error for each of its lines.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LENGTH = 2**16
"""Characters of a line that are examined."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_NUMBER = re.compile(r"[:,\[]\s*([+-]?(?:NaN|nan|Infinity|Inf|inf))\b")
_PYTHON_WORD = re.compile(r"[:,\[]\s*(None|True|False)\b")
_TRAILING_COMMA = re.compile(r",\s*[}\]]")
_ONE_A_LINE = "write one object a line: `jq -c . FILE > rows.jsonl`"
_decode = msgspec.json.Decoder().decode


class Damage(NamedTuple):
    """``is_whole``: the file as a whole is not JSON Lines; else each such line is an error of its own."""

    what: str
    hint: str
    is_whole: bool = False


def damage_of(line: bytes, ahead: Callable[[], bytes] | None) -> Damage | None:
    """Return what a line that is not a JSON object is, if it is of a known kind.

    ``ahead`` returns the start of what follows the first line of a file; ``None`` for later lines.
    """
    text = line[:_MAX_LENGTH].decode(errors="replace").strip()
    if ahead is not None and (damage := _whole_file(text, ahead)):
        return damage
    bare = _STRING.sub('""', text)
    if match := _NOT_NUMBER.search(bare):
        hint = "write null, as pandas' `to_json` does; json.dumps with allow_nan=False finds such values"
        return Damage(f"`{match[1]}` is not JSON", hint)
    if _is_python(text) or _PYTHON_WORD.search(bare):
        return Damage("a Python dict as `print` shows it, not JSON", "write it with json.dumps")
    return _surplus(text, bare, is_first=ahead is not None)


def _surplus(text: str, bare: str, *, is_first: bool) -> Damage | None:
    """Return what is superfluous in the line."""
    if text.endswith(",") and _is_object(text[:-1]):
        return Damage("a comma after the object", "JSON Lines has one object a line, without commas")
    if is_first and _TRAILING_COMMA.search(bare):
        return Damage("a comma before a closing bracket, which is not JSON", "leave it out")
    if _objects_in(text) > 1:
        return Damage("several JSON values on one line", _ONE_A_LINE)
    return None


def _whole_file(text: str, ahead: Callable[[], bytes]) -> Damage | None:
    if text.startswith("["):
        hint = "write one object a line: `jq -c '.[]' FILE > rows.jsonl`"
        return Damage("is one JSON array, not JSON Lines", hint, is_whole=True)
    if text.startswith("{"):
        following = ahead().decode(errors="replace")
        if following.strip() and _is_spread(text, following):
            return Damage("is JSON over several lines, not JSON Lines", _ONE_A_LINE, is_whole=True)
        return None
    if re.search(r"[,;\t|]", text) and not text.startswith(('"{', "//", "#")):
        return Damage("is not JSON Lines", "`inputs.csv` reads CSV", is_whole=True)
    return None


def _is_spread(first: str, following: str) -> bool:
    """Return whether a JSON object begins on the first line and ends on a later one."""
    if first.rstrip() == "{":
        return True
    try:
        json.JSONDecoder().raw_decode(first)
    except json.JSONDecodeError:
        pass
    except RecursionError:
        return False
    else:  # it ends on the same line
        return False
    try:
        return isinstance(json.JSONDecoder().raw_decode(f"{first}\n{following}")[0], dict)
    except json.JSONDecodeError as error:
        return "\n" in following[: max(error.pos - len(first) - 1, 0)]
    except RecursionError:
        return False


def _is_python(text: str) -> bool:
    if not text.startswith(("{'", "{u'", "{b'")):
        return False
    try:
        return isinstance(ast.literal_eval(text), dict)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return text.startswith("{'")


def _is_object(text: str) -> bool:
    try:
        return isinstance(_decode(text), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _objects_in(text: str) -> int:
    """Count the objects in a line: none, one, or two and perhaps more."""
    try:
        first, end = json.JSONDecoder().raw_decode(text)
        rest = text[end:].lstrip(" \t\r,")
        if isinstance(first, dict) and rest.startswith("{"):
            return 2
    except (ValueError, RecursionError):
        return 0
    return 1
