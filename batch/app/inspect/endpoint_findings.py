"""What a server's list of models shows to be wrong: the address, the key, or the name of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import Place, closest, diagnostic_at, shown
from batch.jobfile.job import Written
from batch.providers.failure_messages import LACK_VERSION, url_for_display

if TYPE_CHECKING:
    from batch.errors import Diagnostic
    from batch.jobfile.job import Model

_MOST_LISTED = 6
_LATEST = ":latest"
"""Ollama's tag of a name without one."""


class Answer(Struct, frozen=True):
    """A server's answer: the status (``None`` without one, for the reason ``problem``), and its models.

    ``models`` is ``None`` for anything but a list. ``serves_any_name``: the server ignores the model's name.
    """

    status: int | None
    models: tuple[str, ...] | None
    problem: str = ""
    serves_any_name: bool = False

    @property
    def is_api(self) -> bool:
        """Whether an API answers there: with a list, or because it wants a key."""
        return self.models is not None or self.status in (401, 403)


class Asked(Struct, frozen=True):
    """A model, its address for messages, and the answers there and at a ``better`` address."""

    model: Model
    shown_url: str
    answer: Answer
    better: tuple[str, Answer] | None
    has_key: bool


def finding(asked: Asked, *, is_online: bool) -> list[Diagnostic]:
    """Return the errors that the answers show.

    Without ``is_online``, only a server that answers can show one, and a missing model is a warning.
    """
    answer = asked.answer
    if asked.better is not None:
        url, answer = asked.better
        found = [_at(asked, "base_url", _no_version(asked), f"write `{url_for_display(url)}`")]
        return found + (_model_finding(asked, answer, is_online=is_online) if answer.models else [])
    if answer.models is not None:
        return _model_finding(asked, answer, is_online=is_online)
    return _failure(asked, answer) if is_online else []


def _no_version(asked: Asked) -> str:
    lacks = LACK_VERSION.replace("lack", "lacks")
    return f"{lacks}: {url_for_display(asked.shown_url)} has no list of models"


def _failure(asked: Asked, answer: Answer) -> list[Diagnostic]:
    url = url_for_display(asked.shown_url)
    if answer.status is None:
        return [_at(asked, "base_url", f"{url}: {answer.problem}", "is the server running?")]
    if answer.status in (401, 403):
        if asked.has_key:
            return [
                _at(asked, "api_key_env", f"{url} rejects the key (HTTP {answer.status})", "check the key")
            ]
        return [_at(asked, "base_url", f"{url} requires a key (HTTP {answer.status})", "set `api_key_env`")]
    if 300 <= answer.status < 400:
        what = f"{url} redirects, which is not followed"
        return [_at(asked, "base_url", what, "set `base_url` to the final address")]
    what = f"{url} has no list of models (HTTP {answer.status}), so `model` is not checked"
    return [_at(asked, "base_url", what, "", severity="warning")]


def _model_finding(asked: Asked, answer: Answer, *, is_online: bool) -> list[Diagnostic]:
    name, models = asked.model.model, answer.models or ()
    if answer.serves_any_name or not {name, name + _LATEST}.isdisjoint(models):
        return []
    what = f"{url_for_display(asked.shown_url)} has no model `{shown(name)}`"
    meant = closest(name, models)
    listed = ", ".join(f"`{shown(each)}`" for each in _listed(meant, models)) or "none"
    more = len(models) - _MOST_LISTED
    rest = f" and {more} more" if more > 0 else ""
    hint = f"did you mean `{shown(meant)}`? It has {listed}{rest}" if meant else f"it has {listed}{rest}"
    return [_at(asked, "model", what, hint, severity="error" if is_online else "warning")]


def _listed(meant: str | None, models: tuple[str, ...]) -> list[str]:
    """Return the first names, with the one that is meant."""
    return sorted([*([meant] if meant else []), *(each for each in models if each != meant)][:_MOST_LISTED])


def _at(asked: Asked, key: str, what: str, hint: str = "", severity: str = "error") -> Diagnostic:
    written = asked.model.written
    keys = [key, "api_key_file"] if key == "api_key_env" else [f"base_urls {asked.model.base_url}", key]
    keys = keys if key != "model" else [key]
    at = next((written[each] for each in keys if each in written), None)
    at = at or written.get("provider") or Written(key, Place("job"))
    return diagnostic_at(at.place, at.where, what, hint, severity)
