"""The options of a call of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of ``run``, ``arun`` and ``stream``. They are immutable, so calls can share them.

    Most do the same as the command's flags of the same names. A keyword of the call replaces the option of
    the same name::

        nightly = batch.Options(max_duration=3600, progress=True)
        batch.run("jobs/summarise.yaml", nightly)
        batch.run("jobs/translate.yaml", nightly, limit=10)

    ``settings`` is a YAML file for a JSONL job. ``overrides`` are dotted keys that replace those in the file.
    ``allow`` are further directories that paths may point into. ``limit`` is the maximum number of requests
    to send, ``max_duration`` is in seconds. ``fail_fast`` stops after the first failed request.
    ``durability`` is what a reported result survives: a power cut (``fsync``) or a crash of the process
    (``flush``). ``prune`` removes result lines of requests that the job no longer has. ``adopt`` takes over
    an output that another job file wrote. ``progress`` shows a bar: a widget in a notebook that has
    ``ipywidgets``, else text on stderr. ``processes`` is the number of processes that send the requests; with
    one, this process does. With ``executor="ray"``, so many ``workers`` on a Ray cluster do: the one that the
    environment variable ``RAY_ADDRESS`` names, else one on this machine. ``send_keys`` sends keys to them, in
    memory; by default each reads its own.
    """

    settings: str | Path | None = None
    overrides: Mapping[str, object] | None = None
    allow: Sequence[str | Path] = ()
    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: Literal["fsync", "flush"] = "fsync"
    prune: bool = False
    adopt: bool = False
    progress: bool = False
    processes: int = 1
    executor: Literal["ray"] | None = None
    workers: int | None = None
    send_keys: bool = False


class OptionKeywords(TypedDict, total=False):
    """The fields of ``Options`` as keywords of a call."""

    settings: str | Path | None
    overrides: Mapping[str, object] | None
    allow: Sequence[str | Path]
    limit: int | None
    max_duration: float | None
    fail_fast: bool
    durability: Literal["fsync", "flush"]
    prune: bool
    adopt: bool
    progress: bool
    processes: int
    executor: Literal["ray"] | None
    workers: int | None
    send_keys: bool
