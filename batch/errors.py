"""Every error that promptjobs raises on purpose.

::

    PromptJobsError
    ├── UsageError               wrong usage: nothing was sent                       exit 2
    │   ├── JobFileError         the job file's mistakes, all of them
    │   ├── ModelNotFoundError   a model name that the provider does not have
    │   ├── UntrustedKeyError    a key would go to an origin it is not trusted for
    │   ├── ForeignOutputError   the output file was not written by promptjobs, or by a newer version
    │   └── OutputOfAnotherJobError   another job file wrote the output
    ├── OutputLockedError        another run holds the output                        exit 75
    ├── OutputWriteError         a result could not be written                       exit 74
    ├── UnencodableError         results that have no form in JSON; only these are at fault
    ├── InternalError            a fault of promptjobs itself                        exit 70
    ├── InputsChangedError       the source of requests failed while the job ran         exit 1
    ├── LocalModelError          the embedded endpoint could not be started          exit 7
    ├── StoppedError             a signal came while nothing was being sent          exit 129, 130, 143
    └── AttemptError             one attempt failed; carries a ``records.Failure``

An attempt's failure travels through the engine as a value (``records.Failure``); ``AttemptError``
exists for the generator interface of the providers, where a caller expects an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure


class PromptJobsError(Exception):
    """The root of the tree. ``exit_code`` is what the command line returns for it."""

    exit_code = 1


class UsageError(PromptJobsError):
    """Something in what the user asked for is wrong; nothing was sent."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake in a job file or in one of its inputs.

    ``line`` and ``column`` count from 1; 0 means that the place has no line (a flag, a whole file).
    ``where`` is the dotted place in the file (``models[1].params.temperature``), ``what`` says what is
    wrong, ``hint`` what to do about it, empty where there is nothing useful to say.
    """

    path: str
    line: int
    column: int
    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        where = f" {self.where}:" if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}:{where} {self.what}{hint}"


class JobFileError(UsageError):
    """A job file with mistakes. ``mistakes`` holds them in the order of the file.

    Of too many to be read, the last says how many are left out; ``count`` is that of all. ``notices`` are
    sentences about what is probably not meant, though it is no error.
    """

    def __init__(
        self, mistakes: Sequence[Mistake], count: int | None = None, notices: Sequence[str] = ()
    ) -> None:
        self.notices = tuple(notices)
        self.mistakes = tuple(mistakes)
        self.count = len(self.mistakes) if count is None else count
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class ModelNotFoundError(UsageError):
    """A model name that the provider does not know; the message lists those it does."""


class UntrustedKeyError(UsageError):
    """A key is named for an origin that it was never trusted for."""


class ForeignOutputError(UsageError):
    """The output is left as it is: it does not begin with a result, or holds results of a newer version."""


class OutputOfAnotherJobError(UsageError):
    """Another job file, which still exists, wrote the output."""


class OutputLockedError(PromptJobsError):
    """Another run holds the output file."""

    exit_code = 75


class OutputWriteError(PromptJobsError):
    """A result could not be written. What was acknowledged before is on disk."""

    exit_code = 74


class UnencodableError(PromptJobsError):
    """Results that cannot be written as JSON. ``why`` says it for each, by its position among those given."""

    def __init__(self, why: Mapping[int, str]) -> None:
        self.why = why
        super().__init__(f"{len(why)} results cannot be written as JSON")


class InternalError(PromptJobsError):
    """A fault of promptjobs itself. The cause is its ``__cause__``; what was answered before is on disk."""

    exit_code = 70


class InputsChangedError(PromptJobsError):
    """The source of requests failed while the job ran. What was sent by then is finished."""


class LocalModelError(PromptJobsError):
    """The embedded endpoint could not be started; the message says how to mend it."""

    exit_code = 7


class StoppedError(PromptJobsError):
    """A signal has ended the command while nothing was being sent. What was written stays."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class AttemptError(PromptJobsError):
    """One attempt failed. ``failure`` says how, and holds the partial text."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.code}: {failure.message}")


_LONGEST = 300


def one_line(error: BaseException) -> str:
    """The type of an exception and what it says, in one line of a bounded length.

    Of a group it is the first one in it. An exception whose text cannot be had is only named.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a foreign exception may be as broken as what raised it
        text = ""
    name = type(error).__name__
    return f"{name}: {text}"[:_LONGEST] if text else name
