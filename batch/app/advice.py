"""Warnings about where a job's requests go and which keys they use, before anything is sent."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from batch.app.run.endpoints import members
from batch.app.setup import trust
from batch.diagnostics import diagnostic_at
from batch.errors import Diagnostic, PromptJobsError
from batch.jobfile.endpoint_checks import LOCAL, REFERENCE, variable_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile, Model


def unset(job: JobFile, environment: Environment, *, severity: str = "warning") -> list[Diagnostic]:
    """Return a warning for each variable that is not set and each key file that does not exist.

    They are no errors of the job file, since a run may happen in another environment.
    """
    found: dict[Diagnostic, None] = {}
    for model in job.models:
        for key, what in missing(model, environment) if model.base_url != LOCAL else ():
            written = model.written.get(key)
            if written is not None:
                found[diagnostic_at(written.place, written.where, what, severity=severity)] = None
    return list(found)


def missing(model: Model, environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield the keys (of ``Model.written``) whose variable or file is missing, and what is."""
    for key, name in variables(model):
        if not environment.variables.get(name, "").strip():
            yield key, f"the environment variable {name} is not set"
    if model.api_key_file is not None and not os.path.lexists(model.api_key_file):
        yield "api_key_file", "no such file"


def variables(model: Model) -> list[tuple[str, str]]:
    """Return the keys (of ``Model.written``) that name variables, each with the name of one."""
    references = [("base_url", model.base_url or ""), ("proxy", model.proxy or "")]
    references += [(f"headers.{name}", value) for name, value in model.headers.items()]
    references += [(f"base_urls {url}", url) for url in model.base_urls]
    named = [(key, name) for key, text in references for name in REFERENCE.findall(text)]
    if model.api_key_env is not None and variable_problem(model.api_key_env) is None:
        named.append(("api_key_env", model.api_key_env))
    return named


def advice(job: JobFile, environment: Environment) -> list[str]:
    """Return a warning for each key file that other users can read, and a notice for each proxy."""
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
