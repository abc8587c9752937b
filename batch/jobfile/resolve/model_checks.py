"""Check what a job file says about its models: the settings of each as written, and all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.checking.formats import format_problem
from batch.diagnostics import shown
from batch.jobfile.endpoint_checks import (
    LOCAL,
    base_url_problem,
    header_problem,
    proxy_problem,
    variable_problem,
)
from batch.jobfile.param_checks import check_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from batch.diagnostics import At, Findings, Problem
    from batch.jobfile.job import Model
    from batch.jobfile.schema.job_spec import JobSpec
    from batch.jobfile.schema.model_spec import EndpointSpec, ModelSpec

_CHECKS: Mapping[str, Callable[[str], Problem | None]] = {
    "base_url": base_url_problem,
    "proxy": proxy_problem,
    "api_key_env": variable_problem,
}


def check_endpoint(spec: EndpointSpec, at: At, findings: Findings) -> None:
    """Report errors in the settings that a model and the job have in common."""
    for name, value in spec.headers.items():
        if problem := header_problem(name, value):
            findings.at_key((*at, "headers", name), *problem)
    for key, check in _CHECKS.items():
        text: str | None = getattr(spec, key)
        if text is not None and (problem := check(text)):
            findings.at_value((*at, key), *problem)
    if spec.api_key_env and spec.api_key_file:
        findings.at_key((*at, "api_key_file"), "cannot be combined with `api_key_env`", "keep one of them")
    check_params(spec.params, (*at, "params"), findings)


def check_pool(spec: ModelSpec, at: At, findings: Findings) -> None:
    """Report errors in the several addresses of a model."""
    if spec.base_urls and spec.base_url is not None:
        findings.at_key((*at, "base_urls"), "cannot be combined with `base_url`", "keep one of them")
    seen: set[str] = set()
    for index, url in enumerate(spec.base_urls or ()):
        problem = base_url_problem(url)
        if url == LOCAL:
            problem = "the embedded endpoint is one of its own", "write `base_url: local`"
        elif url.rstrip("/") in seen:
            problem = "the same address twice", "leave it out"
        if problem:
            findings.at_value((*at, "base_urls", index), *problem)
        seen.add(url.rstrip("/"))


def check_format(spec: JobSpec, findings: Findings) -> None:
    """Report errors in the job's response format, which is also one of its parameters."""
    if spec.response_format is None:
        return
    if problem := format_problem(spec.response_format):
        findings.at_key(("response_format",), *problem)
    if "response_format" in spec.params:
        what = "cannot be combined with the job's `response_format`"
        findings.at_key(("params", "response_format"), what, "keep one of them")


def check_currency(specs: Iterable[tuple[EndpointSpec, At]], findings: Findings) -> None:
    """Report two currencies: costs of a job are summed."""
    priced = [(spec.price.currency, at) for spec, at in specs if spec.price is not None]
    for currency, at in priced:
        if currency != priced[0][0]:
            what = f"{currency} beside prices in {priced[0][0]}"
            hint = "costs are added up: give all prices in one currency"
            findings.at_value((*at, "price", "currency"), what, hint)


def check_unique(models: Mapping[At, Model | None], findings: Findings) -> None:
    """Report ids that several models have."""
    seen: set[str] = set()
    for at, model in models.items():
        if model is not None and model.id in seen:
            what = f"duplicate model id `{shown(model.id)}`"
            findings.at_value(at, what, "give each an `id` of its own")
        seen.add(model.id if model else "")


def check_engine_used(spec: JobSpec, models: Iterable[Model | None], findings: Findings) -> None:
    """Report a job's engine that no model uses, unless rows may still name one."""
    used = any(model is None or model.base_url == LOCAL for model in models)
    if spec.engine is not None and spec.base_url != LOCAL and not used:
        findings.at_key(("engine",), "is for the embedded endpoint", "write `base_url: local`")
