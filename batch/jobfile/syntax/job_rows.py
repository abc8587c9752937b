"""A JSONL job file: one request per line, in the job's own form or that of an OpenAI Batch file.

Nothing in a row is a template. The first pass over the file finds its errors, and the models that its rows
name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_type_hints

import msgspec
from msgspec import Meta, Struct

from batch.diagnostics import Place, did_you_mean, kind, shown
from batch.errors import Diagnostic, JobFileError
from batch.jobfile.param_checks import param_problems
from batch.jobfile.syntax.json_lines import objects
from batch.jobfile.syntax.json_object import column_of
from batch.parameters import max_tokens
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from batch.diagnostics import DiagnosticList

_CHAT_COMPLETIONS = "/v1/chat/completions"
_ENDING = "/chat/completions"  # Azure omits the version; others write the whole URL
_OTHER_CALLS = {
    "/responses": "write `messages` for /v1/chat/completions in place of `input`",
    "/completions": "write `messages` for /v1/chat/completions in place of `prompt`",
}
_IN_PLACE_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
_ALWAYS_STREAMED = ("stream", "stream_options")

_NO_MESSAGE = "expected a `role` and a `content`"

_Text: TypeAlias = Annotated[str, Meta(min_length=1)]
_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class JobRow(Struct, frozen=True, gc=False):
    """One request of a JSONL job file. ``batch`` is true for a line of an OpenAI Batch file."""

    line: int
    id: str | None
    model: str | None
    messages: tuple[JSONObject, ...]
    params: JSONObject
    metadata: JSONObject
    batch: bool
    images: tuple[str, ...] = ()


class _OwnLine(Struct, forbid_unknown_fields=True):
    id: _Text | int | None = None
    model: _Name | None = None
    prompt: _Text | None = None
    messages: list[JSONObject] | None = None
    system: str | None = None
    params: JSONObject = {}
    metadata: JSONObject = {}
    images: list[_Text] = []


class _BatchLine(Struct, forbid_unknown_fields=True):
    custom_id: _Text | int
    body: JSONObject
    method: str = "POST"
    url: str = _CHAT_COMPLETIONS


_EXPECTED = {
    "id": "text or a whole number",
    "custom_id": "text or a whole number",
    "messages": "a list of messages",
    "params": "keys and values",
    "metadata": "keys and values",
    "body": "keys and values",
    "images": "a list of paths and URLs",
}


def job_rows(
    path: Path, system: str | None = None, marks: Container[int] | None = None
) -> Iterator[JobRow | Diagnostic | None]:
    """Yield the rows of the file, lazily; for an invalid row, yield all its errors.

    ``system`` is put before the messages of rows of the job's own form that have no system message. ``marks``
    are the requested lines; ``None`` is yielded for each other.
    """
    for number, line, value in objects(path):
        if marks is not None and number not in marks:
            yield None
            continue
        if isinstance(value, Diagnostic):
            yield value
            continue
        row = _Line(str(path), number, line, value)
        is_batch = "custom_id" in value or "body" in value
        result = row.read_batch() if is_batch else row.read_own(system)
        if isinstance(result, JobRow):
            yield result
        else:
            yield from result


class _Line(Struct, frozen=True):
    path: str
    number: int
    line: bytes
    value: dict[str, Any]

    def read_own(self, system: str | None) -> JobRow | list[Diagnostic]:
        try:
            own = msgspec.convert(self.value, _OwnLine)
        except msgspec.ValidationError:
            return self._shape(_OwnLine)
        diagnostics = self._asks(own) + self._params("params", own.params)
        if diagnostics:
            return diagnostics
        messages = own.messages or [{"role": "user", "content": own.prompt}]
        if own.system is not None:
            system = own.system
        if system is not None and messages[0]["role"] not in ("system", "developer"):
            messages.insert(0, {"role": "system", "content": system})
        row_id = None if own.id is None else str(own.id)
        return JobRow(
            self.number,
            row_id,
            own.model,
            tuple(messages),
            own.params,
            own.metadata,
            batch=False,
            images=tuple(own.images),
        )

    def read_batch(self) -> JobRow | list[Diagnostic]:
        try:
            batch = msgspec.convert(self.value, _BatchLine)
        except msgspec.ValidationError:
            return self._shape(_BatchLine)
        params = {key: value for key, value in batch.body.items() if key not in _ALWAYS_STREAMED}
        model, messages = params.pop("model", None), params.pop("messages", None)
        diagnostics = self._envelope(batch) + self._messages(messages, "body.messages")
        if not _fits(model, _Name | None):
            diagnostics.append(self._diagnostic("model", "body.model", _type_problem("model", model)))
        diagnostics += self._params("body", params)
        if diagnostics:
            return diagnostics
        return JobRow(self.number, str(batch.custom_id), model, tuple(messages), params, {}, batch=True)

    def _envelope(self, batch: _BatchLine) -> list[Diagnostic]:
        diagnostics = []
        if batch.method.upper() != "POST":
            diagnostics.append(self._diagnostic("method", "method", "expected `POST`"))
        path = batch.url.partition("?")[0].rstrip("/")
        if not path.endswith(_ENDING):
            other = next((hint for end, hint in _OTHER_CALLS.items() if path.endswith(end)), None)
            hint = other or "only chat completions are supported"
            diagnostics.append(self._diagnostic("url", "url", f"expected `{_CHAT_COMPLETIONS}`", hint))
        return diagnostics

    def _asks(self, own: _OwnLine) -> list[Diagnostic]:
        if own.messages is not None and own.prompt is not None:
            return [
                self._diagnostic(
                    "messages", "messages", "cannot be combined with `prompt`", "keep one of them"
                )
            ]
        if own.messages is not None:
            return self._messages(own.messages, "messages")
        if own.prompt is None:
            return [self._diagnostic("", "", "no prompt", "write `prompt` or `messages`")]
        return []

    def _messages(self, messages: Any, where: str) -> list[Diagnostic]:
        if not isinstance(messages, list):
            return [self._diagnostic("messages", where, f"expected a list of messages, got {kind(messages)}")]
        if not messages:
            return [self._diagnostic("messages", where, "must not be empty")]
        return [
            self._diagnostic("messages", f"{where}[{index}]", what)
            for index, message in enumerate(messages)
            if (what := _message_problem(message))
        ]

    def _params(self, where: str, params: Mapping[str, Any]) -> list[Diagnostic]:
        if not params:
            return []
        return [
            self._diagnostic(keys[-1], ".".join((where, *keys)), what, hint)
            for keys, (what, hint) in param_problems(params)
        ]

    def _shape(self, form: type[Struct]) -> list[Diagnostic]:
        """Report every key that does not fit the form; the fast check only finds that there is one."""
        types = get_type_hints(form, include_extras=True)
        missing = [f.name for f in msgspec.structs.fields(form) if f.required and f.name not in self.value]
        diagnostics = [self._diagnostic("", key, "is missing") for key in missing]
        for key, value in self.value.items():
            if key not in types:
                known = list(types)
                hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
                diagnostics.append(self._diagnostic(key, shown(key), "unknown key", hint))
            elif not _fits(value, types[key]):
                diagnostics.append(self._diagnostic(key, key, _type_problem(key, value)))
        return diagnostics

    def _diagnostic(self, key: str, where: str, what: str, hint: str = "") -> Diagnostic:
        column = column_of(self.line, key) if key else 1
        return Diagnostic(self.path, self.number, column, where, what, hint)


def _message_problem(message: Any) -> str | None:
    """Return what is invalid in a message. One of the assistant may have tool calls instead of content."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return _NO_MESSAGE
    if message.get("content") is not None:
        return None
    if message["role"] == "assistant" and any(message.get(key) for key in _IN_PLACE_OF_CONTENT):
        return None
    return "`content` is null" if "content" in message else _NO_MESSAGE


def _type_problem(key: str, value: Any) -> str:
    if value == "":
        return "must not be empty"
    if key == "model" and isinstance(value, str):
        return "longer than a name, or with control characters"
    return f"expected {_EXPECTED.get(key, 'text')}, got {kind(value)}"


def _fits(value: Any, form: Any) -> bool:
    try:
        msgspec.convert(value, form)
    except msgspec.ValidationError:
        return False
    return True


@dataclass(slots=True)
class Survey:
    """What the rows request. Each place is that of the first such row.

    ``models`` holds the names that rows use, ``unnamed`` a row without one; ``batch`` is a line of an OpenAI
    Batch file, ``own`` a row of the job's own form. ``uncapped`` holds, by model name, rows that do not limit
    the length of their answers.
    """

    models: dict[str, Place] = field(default_factory=dict)
    unnamed: Place | None = None
    batch: Place | None = None
    own: Place | None = None
    uncapped: dict[str | None, Place] = field(default_factory=dict)

    def take_in(self, row: JobRow, path: str) -> None:
        """Record what this row requests."""
        if row.model not in self.uncapped and max_tokens(row.params) is None:
            self.uncapped[row.model] = Place(path, row.line, 1)
        if row.model is not None and row.model in self.models and (self.batch if row.batch else self.own):
            return
        place = Place(path, row.line, 1)
        if row.model is None:
            self.unnamed = self.unnamed or place
        else:
            self.models.setdefault(row.model, place)
        if row.batch:
            self.batch = self.batch or place
        else:
            self.own = self.own or place


def survey(path: Path, diagnostics: DiagnosticList) -> Survey:
    """Read all rows once, in bounded memory.

    Raises ``JobFileError`` if the file cannot be read: it may not be a job file at all.
    """
    result = Survey()
    seen = 0
    for row in job_rows(path):
        seen += 1
        if isinstance(row, Diagnostic):
            if not row.line:
                raise JobFileError([row])
            diagnostics.append(row)
        elif row is not None:
            result.take_in(row, str(path))
    if not seen:
        diagnostics.append(Diagnostic(str(path), 0, 0, "", "has no rows"))
    return result
