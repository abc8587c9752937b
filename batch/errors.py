"""The errors that promptjobs raises.

::

    PromptJobsError
    ├── UsageError               invalid usage: nothing was sent                     exit 2
    │   ├── JobFileError         all errors in the job file and its inputs
    │   ├── ModelNotFoundError   a model name that the provider does not have
    │   ├── VariableError        an environment variable that is not set, or holds more than one line
    │   ├── KeyFileError         a key file that cannot be read, or holds anything but a key
    │   ├── UntrustedKeyError    a key would be sent to an origin that is not trusted for it
    │   ├── ForeignOutputError   the output file was not written by promptjobs, or by a newer version
    │   └── OutputOfAnotherJobError   another job file wrote the output
    ├── OutputLockedError        another run holds the output                        exit 75
    ├── OutputWriteError         a result could not be written                       exit 74
    ├── UnencodableError         results that JSON cannot represent
    ├── InternalError            a bug in promptjobs                                 exit 70
    ├── WorkerError              worker processes kept ending (--processes)          exit 70
    ├── NoWorkersError           no worker was there for too long (--executor ray)   exit 75
    ├── InputsChangedError       the source of requests failed while the job ran     exit 1
    ├── LocalModelError          the embedded endpoint could not be started          exit 7
    ├── StoppedError             a signal arrived while nothing was being sent       exit 129, 130, 143
    └── AttemptError             one attempt failed; carries a ``records.Failure``

The engine passes an attempt's failure as a value (``records.Failure``). ``AttemptError`` is for the generator
interface of the providers, where callers expect an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.exit_codes import INTERNAL, NOT_WRITTEN, REFUSED, SOME_FAILED, UNAVAILABLE, USAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure


class PromptJobsError(Exception):
    """The base class of all errors. ``exit_code`` is the exit code of the command line."""

    exit_code = SOME_FAILED


class UsageError(PromptJobsError):
    """The usage or the job file is invalid; nothing was sent."""

    exit_code = USAGE


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One error in a job file or in one of its inputs.

    ``line`` and ``column`` count from 1; 0 means that the place has no line (a flag, a whole file). ``where``
    is the dotted path in the file (``models[1].params.temperature``). ``what`` describes the error, ``hint``
    the fix; ``hint`` may be empty. ``severity`` is ``error``, or ``warning`` for what is allowed but probably
    not intended.
    """

    path: str
    line: int
    column: int
    where: str
    what: str
    hint: str = ""
    severity: str = "error"

    @property
    def text(self) -> str:
        """The description without the file."""
        where = f"{self.where}: " if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.what}{hint}"

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        severity = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {severity}{self.text}"


Mistake = Diagnostic
"""The earlier name of ``Diagnostic``."""


class JobFileError(UsageError):
    """A job file with errors. ``diagnostics`` holds them in the order of the file.

    If there are too many, the last one states how many are omitted; ``count`` is the number of all.
    ``notices`` are sentences about the inputs; ``warnings`` describe what is allowed but hardly intended.
    """

    def __init__(
        self,
        diagnostics: Sequence[Diagnostic],
        count: int | None = None,
        notices: Sequence[str] = (),
        warnings: Sequence[Diagnostic] = (),
    ) -> None:
        self.notices = tuple(notices)
        self.warnings = tuple(warnings)
        self.diagnostics = tuple(diagnostics)
        self.count = len(self.diagnostics) if count is None else count
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    @property
    def mistakes(self) -> tuple[Diagnostic, ...]:
        """The earlier name of ``diagnostics``."""
        return self.diagnostics


class ModelNotFoundError(UsageError):
    """The provider does not have this model; ``what`` says so, and the message lists the ``known`` ones."""

    def __init__(self, what: str, known: Sequence[str]) -> None:
        self.what = what
        self.known = known
        super().__init__(f"{what}; it has {', '.join(known)}")


class VariableError(UsageError):
    """The environment variable ``name`` is not set, or does not hold one line; the message says which."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(f"the environment variable {name} {what}")


class KeyFileError(UsageError):
    """A key file cannot be read, or does not hold one line with a key."""


class UntrustedKeyError(UsageError):
    """A key would be sent to an origin that the user has not trusted for it."""


class ForeignOutputError(UsageError):
    """The output does not begin with a result, or holds results of a newer version. It was not changed."""


class OutputOfAnotherJobError(UsageError):
    """Another job file, which still exists, wrote the output."""


class OutputLockedError(PromptJobsError):
    """Another run holds the output file."""

    exit_code = UNAVAILABLE


class OutputWriteError(PromptJobsError):
    """A result could not be written. Results that were reported before are on disk."""

    exit_code = NOT_WRITTEN


class UnencodableError(PromptJobsError):
    """Results that cannot be written as JSON. ``why`` maps their positions to the reasons."""

    def __init__(self, why: Mapping[int, str]) -> None:
        self.why = why
        super().__init__(f"{len(why)} results cannot be written as JSON")


class InternalError(PromptJobsError):
    """A bug in promptjobs. ``__cause__`` is the original exception; earlier answers are on disk."""

    exit_code = INTERNAL


class WorkerError(PromptJobsError):
    """Worker processes ended again and again without an outcome. Earlier answers are on disk."""

    exit_code = INTERNAL


class NoWorkersError(PromptJobsError):
    """No worker was there for as long as an endpoint may be down. Earlier answers are on disk."""

    exit_code = UNAVAILABLE


class InputsChangedError(PromptJobsError):
    """The source of requests failed while the job ran. Requests that were sent by then are finished."""


class LocalModelError(PromptJobsError):
    """The embedded endpoint could not be started; the message says how to fix it."""

    exit_code = REFUSED


class StoppedError(PromptJobsError):
    """A signal ended the command while nothing was being sent, or the caller cancelled the run.

    Everything that was written stays.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class AttemptError(PromptJobsError):
    """One attempt failed. ``failure`` has the code, the message and the partial text."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.code}: {failure.message}")


_MAX_LENGTH = 300


def one_line(error: BaseException) -> str:
    """Return the type and message of an exception in one line of bounded length.

    For a group, use its first exception. If the message cannot be read, return only the type.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - the `__str__` of a foreign exception may fail, too
        text = ""
    name = type(error).__name__
    return f"{name}: {text}"[:_MAX_LENGTH] if text else name
