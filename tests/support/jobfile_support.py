"""Job files for tests: written to a folder, loaded, and their mistakes as short lines."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from batch.errors import JobFileError, ModelNotFoundError
from batch.jobfile import JobFile, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

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
    """The mistakes of a call that must fail: no folders, and of ``job.yaml`` not even the name."""
    with pytest.raises(JobFileError) as caught:
        call()
    named = [str(m).replace(m.path, m.path.rpartition("/")[2], 1) for m in caught.value.diagnostics]
    return [text.removeprefix("job.yaml:").lstrip() for text in named]


def known_models() -> dict[str, Callable[[str], object]]:
    """A provider that has two models."""

    def canonical(name: str) -> str:
        if name not in ("llama", "summary"):
            raise ModelNotFoundError(f"no model `{name}`; there are llama, summary")
        return name

    return {"autonomous": canonical}
