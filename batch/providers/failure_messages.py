"""Messages of failed requests: the request, what happened, and what to try.

Codes, statuses and the job's own data decide the hint, never the wording of a message. Only failures get
here, so a successful request pays nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.failure_codes import CONNECT, INTERNAL_ERROR, is_whole_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Failure

LACK_VERSION = 'lack "/v1"'
"""What may be wrong with an address that has no version in its path."""

MAX_URL = 300
"""Maximum number of characters of a URL in a message."""

_OWN_CODES = frozenset({INTERNAL_ERROR, "fd_limit", "local_model"})
"""Codes of failures that no server and no connection caused."""

_VERSION = re.compile(r"/v\d[^/]*(/|\Z)")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}", re.ASCII)


class SentRequest(Struct, frozen=True):
    """What the message of a failure may state about its request.

    ``url`` is for display (``url_for_display``). ``lacks_version``: the base URL has no part such as ``/v1``,
    although those of the dialect have one. ``has_key``: a key or a header of the job was sent.
    ``has_worked``: the endpoint has answered a request to the model, so the address is right.
    """

    url: str
    model: str
    lacks_version: bool = False
    has_key: bool = True
    is_proxied: bool = False
    has_worked: bool = False

    @property
    def may_need_tls(self) -> bool:
        """Whether the address is of plain HTTP and has not worked yet."""
        return self.url.startswith("http://") and not (self.has_worked or self.is_proxied)


def message_with_request(failure: Failure, sent: SentRequest, clean: Callable[[str], str]) -> str:
    """Return the message of the failure with its request and a hint.

    The message for a whole answer stays unchanged: the request has worked. ``clean`` removes secrets from a
    text; the message of the failure has none anymore.
    """
    if failure.code in _OWN_CODES or is_whole_answer(failure.code):
        return failure.message
    verb = " returned" if failure.http_status is not None else ":"
    text = f"{clean(f'POST {sent.url}')}{verb} {failure.message}"
    if hint := hint_for(failure, sent):
        text = f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {clean(hint)}"
    return text


def hint_for(failure: Failure, sent: SentRequest) -> str:
    """Return what to try; empty if nothing in particular helps."""
    code = failure.code
    if code in ("auth", "forbidden"):
        return _key_hint(code, sent)
    if failure.server_code == "model_not_found":
        return f'Check `model` ("{sent.model}").'
    if code == "redirect":
        return "Redirects are not followed; set `base_url` to the final address."
    if code == CONNECT:
        return "" if sent.is_proxied else "Is the server running, and is `base_url` right?"
    if failure.foreign and sent.may_need_tls:
        return "Does the server speak https? Then write `https://` in `base_url`."
    is_elsewhere = code == "not_sse" or failure.http_status in (404, 405)
    return _address_hint(failure, sent) if is_elsewhere else ""


def _key_hint(code: str, sent: SentRequest) -> str:
    if not sent.has_key:
        return "No key was sent, because the job names none; set `api_key_env`."
    return "Check the job's key." if code == "auth" else ""


def _address_hint(failure: Failure, sent: SentRequest) -> str:
    if sent.has_worked:
        return f'Does the server still have a model "{sent.model}"?' if failure.http_status == 404 else ""
    if sent.lacks_version:
        return f"Does `base_url` {LACK_VERSION}?"
    if failure.http_status == 404:
        return f'Check `base_url`, and whether the server has a model "{sent.model}".'
    return "Check `base_url`."


def lacks_version(base_url: str, usual_path: str | None) -> bool:
    """Whether the base URL has no version in its path, and ``usual_path``, that of its dialect, has one."""
    if _VERSION.search(usual_path or "") is None:
        return False
    path = base_url.partition("?")[0].partition("://")[2].partition("/")[2]
    return _VERSION.search(f"/{path}") is None


def url_for_display(url: str) -> str:
    """Return the URL without user info, without the values of its query and without its fragment."""
    address, _, query = url.partition("#")[0].partition("?")
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    pairs = (part.partition("=") for part in query.split("&"))
    names = [f"{name}=…" for name, equals, _ in pairs if equals and _PARAMETER.fullmatch(name)]
    shown = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}{'?' if names else ''}{'&'.join(names)}"
    return shown if len(shown) <= MAX_URL else f"{shown[:MAX_URL]}…"
