"""Job files for tests: written to a folder, loaded, and their errors as short lines."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from batch.errors import JobFileError
from batch.jobfile import JobFile, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

AUTONOMOUS = (
    "llama, qwen_coder, hermes, vision, summary, "
    "llama-3.3-70b, qwen-2.5-coder-32b, hermes-3, llama-3.2-90b, llama-3.2-70b"
)
"""The names that an error lists where AutonomousAI has no such model."""

HEAD = "provider: openai\nbase_url: http://localhost:8000/v1\nmodel: m\n"
"""Three lines that make any prompt a job."""


def write(folder: Path, text: str, name: str = "job.yaml") -> Path:
    """The text as a file, its common indentation removed."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def job(folder: Path, text: str, overrides: Mapping[str, object] | None = None) -> JobFile:
    """The job of a text."""
    return load(write(folder, text), overrides=overrides)


def diagnostics_of(call: Callable[[], object]) -> list[str]:
    """The errors of a call that must fail: no folders, and of ``job.yaml`` not even the name."""
    with pytest.raises(JobFileError) as caught:
        call()
    named = [str(m).replace(m.path, m.path.rpartition("/")[2], 1) for m in caught.value.diagnostics]
    return [text.removeprefix("job.yaml:").lstrip() for text in named]
