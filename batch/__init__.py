"""promptjobs: a batch runner for prompts that runs unattended.

::

    import batch

    summary = batch.run("jobs/summarise.yaml")

The public names are loaded on first use, so importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batch._version import __version__ as __version__

if TYPE_CHECKING:
    from batch.app.api import arun, run, stream
    from batch.app.call_options import Options
    from batch.app.setup.load_job import Job, load_job
    from batch.errors import (
        AttemptError,
        Diagnostic,
        JobFileError,
        LocalModelError,
        Mistake,
        ModelNotFoundError,
        OutputLockedError,
        OutputWriteError,
        PromptJobsError,
        UsageError,
    )
    from batch.providers.autonomous_provider import AutonomousAI
    from batch.providers.generator_api import FinishReason
    from batch.records import Reply, Request, Result, Usage, Verdict
    from batch.result_list import Results
    from batch.run_summary import Summary


_HOMES = {
    "batch.app.setup.load_job": ("Job", "load_job"),
    "batch.app.api": ("arun", "run", "stream"),
    "batch.app.call_options": ("Options",),
    "batch.errors": (
        "AttemptError",
        "Diagnostic",
        "JobFileError",
        "LocalModelError",
        "Mistake",
        "ModelNotFoundError",
        "OutputLockedError",
        "OutputWriteError",
        "PromptJobsError",
        "UsageError",
    ),
    "batch.providers.autonomous_provider": ("AutonomousAI",),
    "batch.providers.generator_api": ("FinishReason",),
    "batch.records": ("Reply", "Request", "Result", "Usage", "Verdict"),
    "batch.result_list": ("Results",),
    "batch.run_summary": ("Summary",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AttemptError",
    "AutonomousAI",
    "Diagnostic",
    "FinishReason",
    "Job",
    "JobFileError",
    "LocalModelError",
    "Mistake",
    "ModelNotFoundError",
    "Options",
    "OutputLockedError",
    "OutputWriteError",
    "PromptJobsError",
    "Reply",
    "Request",
    "Result",
    "Results",
    "Summary",
    "Usage",
    "UsageError",
    "Verdict",
    "arun",
    "load_job",
    "run",
    "stream",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'batch' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
