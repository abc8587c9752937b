"""The failed requests that a job has at the end of a run: those of this run, and those of earlier ones."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.events import AttemptFailed, AttemptStarted, EarlierFailures, ResultsDurable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.events import Event
    from batch.records import Known, Result, ResultError

MAX_SENT = 10_000
"""Failures of this run that are kept."""


class OpenFailure(Struct, frozen=True):
    """A request that has failed and has not succeeded since.

    ``is_final``: ``promptjobs run`` does not send it again. ``runs`` counts the runs in which it has failed.
    ``message`` is the reason, ``None`` if the request was not sent in this run. ``content`` stands for the
    content of its document, if that cannot be read; else it is empty.
    """

    id: str
    fingerprint: str
    code: str
    is_final: bool
    runs: int
    message: str | None = None
    content: str = ""

    @property
    def is_of_this_run(self) -> bool:
        """Whether this run has sent the request, or has found its row invalid."""
        return self.message is not None

    @property
    def key(self) -> str:
        """Return 16 digits that stand for this failure of this request, as it is now.

        Another prompt gives another key, and so does a temporary failure that becomes final.
        """
        text = "\0".join((self.id, self.fingerprint, self.content, "final" * self.is_final))
        return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


class OpenFailures:
    """An observer that collects the open failures, up to a bound.

    ``documents`` are the paths of unreadable documents, by id. ``is_whole``: all of the job was read.
    """

    ignores = frozenset({AttemptStarted, AttemptFailed})

    def __init__(self) -> None:
        self.documents: Mapping[str, str] = {}
        self.is_whole = False
        self._sent: dict[str, OpenFailure] = {}
        self._earlier: Mapping[str, Known] = {}

    def failures(self) -> list[OpenFailure]:
        """Return those of this run first, in the order of their results, then those of earlier runs."""
        earlier = (_earlier(name, known) for name, known in self._earlier.items() if name not in self._sent)
        return [*self._sent.values(), *earlier]

    def observe(self, event: Event) -> None:
        """Take the failures from the event."""
        if isinstance(event, ResultsDurable):
            for result in event.results:
                if result.error is not None and len(self._sent) < MAX_SENT:
                    self._sent[result.id] = _of_this_run(result, result.error)
        elif isinstance(event, EarlierFailures):
            self._earlier, self.documents, self.is_whole = event.known, event.documents, event.is_whole


def _of_this_run(result: Result, error: ResultError) -> OpenFailure:
    final = not error.retryable
    return OpenFailure(result.id, result.fingerprint, error.code, final, error.runs, error.message)


def _earlier(request_id: str, known: Known) -> OpenFailure:
    return OpenFailure(request_id, known.fingerprint, known.code, not known.retryable, known.runs)
