"""The credentials of an endpoint, and their redaction from everything that is stored and printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replace_field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from msgspec.structs import replace

from batch._version import __version__
from batch.providers.json_texts import Joint, joints, leaves_of, rebuilt
from batch.providers.redaction import MARK, Secrets, is_distinctive, without
from batch.records import Failure, Reply, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AnyOutcome = TypeVar("AnyOutcome", bound=Reply | Failure)

USER_AGENT = f"promptjobs/{__version__}"

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})
"""Headers whose values are always secrets."""

CUT_MESSAGE = 4
"""Minimum length of a partial secret at the end of a message, which is truncated at a fixed length."""

CUT_TEXT = 12
"""Minimum length of a partial secret at the end of a broken-off answer; many keys share a prefix."""

_OF_A_FAILURE = ("partial_text", "server_code", "finish_reason")
_OF_A_REPLY = ("reasoning", "text", "refusal", "finish_reason", "served_by", "tool_calls", "logprobs")


@dataclass(frozen=True, repr=False)
class Credentials:
    """A key, additional headers, and the ``secrets`` in those headers or in the proxy's URL."""

    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def on(self, headers: Mapping[str, str], key: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of the dialect, of its key, and the additional ones, which take precedence."""
        return {**headers, **key, **{name.lower(): value for name, value in self.headers.items()}}

    def knowing(self, secrets: Iterable[str]) -> Self:
        """Return a copy with additional secrets that the endpoint receives."""
        return replace_field(self, secrets=(*self.secrets, *secrets))

    def redacted(self, outcome: AnyOutcome) -> AnyOutcome:
        """Return the outcome without secrets, marked if there were any: a server may echo its credentials.

        A failure's message loses every secret; model output loses the secrets that cannot be ordinary words.
        """
        if not self._all or (isinstance(outcome, Reply) and self._is_obviously_clean(outcome)):
            return outcome
        is_failure = isinstance(outcome, Failure)
        changed = self._changed(outcome, _OF_A_FAILURE if is_failure else _OF_A_REPLY)
        if isinstance(outcome, Failure) and (message := self.clean(outcome.message)) != outcome.message:
            changed["message"] = message
        if isinstance(outcome, Failure) and (answer := outcome.answer) is not None:
            clean = self.redacted(answer)
            changed |= {} if clean is answer else {"answer": clean}
        return replace(outcome, **changed, redacted=True) if changed else outcome

    @cached_property
    def _all(self) -> tuple[str, ...]:
        """All secrets, the longest first."""
        headers = (value for name, value in self.headers.items() if name.lower() in SECRET_HEADERS)
        secrets = {*self.secrets, self.api_key, *(value.rpartition(" ")[2] for value in headers)}
        return tuple(sorted(filter(None, secrets), key=len, reverse=True))

    @cached_property
    def _distinctive(self) -> Secrets:
        """The secrets that cannot be ordinary words of an answer."""
        return Secrets(filter(is_distinctive, self._all))

    @cached_property
    def _in_messages(self) -> Secrets:
        return Secrets(secret for secret in self._all if len(secret) >= CUT_MESSAGE)

    def _is_obviously_clean(self, reply: Reply) -> bool:
        """Whether a quick check shows that a reply of the usual kind contains no secret."""
        if reply.tool_calls or reply.verdict is Verdict.LENGTH or getattr(reply, "logprobs", None):
            return False
        text = reply.text
        if reasoning := reply.reasoning:
            text = reasoning.rstrip() + text.strip() + reasoning.lstrip()
        text = f"{text}{reply.served_by}{reply.finish_reason}{reply.refusal or ''}"
        return not self._distinctive.may_be_in(text)

    def _changed(self, outcome: Reply | Failure, names: Iterable[str]) -> dict[str, Any]:
        """Return the fields of an answer that contained secrets, redacted."""
        values = {name: value for name in names if (value := getattr(outcome, name, None))}
        clean = self._clean(values) if self._distinctive else values
        if isinstance(outcome, Failure) or outcome.verdict is Verdict.LENGTH:
            last = "text" if isinstance(outcome, Reply) else "partial_text"
            if last in values:
                clean = clean | {last: self._without_end(clean[last])}
        changed = {name: value for name, value in clean.items() if value != values[name]}
        if changed and "logprobs" in values:  # they contain the text again, as tokens and as bytes
            changed["logprobs"] = None
        return changed

    def _clean(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values without secrets, including secrets that span several values."""
        leaves = leaves_of(values)
        spans: list[list[tuple[int, int]]] = [[] for _ in leaves]
        for joint in joints(leaves):
            if not self._distinctive.may_be_in(joint.text):
                continue
            for span in self._distinctive.spans(joint.text):
                for number, inside in _parts(joint, span):
                    spans[number].append(inside)
        texts = [without(leaf.text, inside) for leaf, inside in zip(leaves, spans, strict=True)]
        return rebuilt(values, texts)

    def _without_end(self, text: str) -> str:
        """Return a broken-off answer without a partial secret at its end."""
        span = self._distinctive.end_span(text, CUT_TEXT)
        return text if span is None else without(text, [span])

    def clean(self, message: str) -> str:
        """Return a message without secrets and without a truncated secret at its end."""
        clean = without(message, self._in_messages.spans(message))
        for secret in self._all:
            clean = clean.replace(secret, MARK)
        if not clean.endswith(MARK):
            return clean
        whole = clean.rstrip(MARK)
        span = self._in_messages.end_span(whole, CUT_MESSAGE)
        return clean if span is None else without(whole, [span])


def _parts(joint: Joint, span: tuple[int, int]) -> Iterable[tuple[int, tuple[int, int]]]:
    """Yield the leaves that a span of their joint covers: the number, and the covered part."""
    start, end = span
    borders = [at for _, at, _ in joint.places[1:]] + [len(joint.text)]
    for (number, at, offset), border in zip(joint.places, borders, strict=True):
        if start < border and end > at:
            yield number, (max(start, at) - at + offset, min(end, border) - at + offset)
