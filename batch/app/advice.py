"""Warnings about where a job's requests go and which keys they use, before anything is sent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batch.app.run.endpoints import members
from batch.app.setup import trust
from batch.errors import PromptJobsError
from batch.jobfile.endpoint_checks import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile, Model


def advice(job: JobFile, environment: Environment) -> list[str]:
    """Return a warning for each key file that other users can read, and a notice for each proxy.

    Unset variables and missing key files are not reported: a run may happen in another environment.
    """
    targets = [member for model in job.models for member in members(model).values()]
    return list(dict.fromkeys(text for target in targets for text in _of(target, environment)))


def _of(model: Model, environment: Environment) -> Iterator[str]:
    if model.base_url == LOCAL:
        return
    with suppress(OSError):
        yield from environment.warnings(model)
    try:
        yield from _proxy(model, environment)
    except PromptJobsError as error:
        yield str(error)


def _proxy(model: Model, environment: Environment) -> Iterator[str]:
    """Describe the proxy of the job file or the environment. Raises ``PromptJobsError`` if it is rejected."""
    if "$" in (model.base_url or "") or "$" in (model.proxy or ""):
        return
    base_url = environment.base_url(model)
    target = trust.shown(base_url, model.base_url)
    if model.proxy is not None:
        yield f"requests to {target} go through the proxy {trust.origin(model.proxy)} (`proxy`)"
    elif model.env_proxy and (found := environment.environment_proxy(base_url, target)) is not None:
        yield f"requests to {target} go through the proxy {trust.origin(found.url)} ({found.variable})"
