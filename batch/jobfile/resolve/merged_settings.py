"""The settings of a model, from its own and from those of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.jobfile.schema.job_spec import JobSpec
    from batch.jobfile.schema.model_spec import EndpointSpec


def merged_proxy(own: EndpointSpec, job: EndpointSpec) -> tuple[str | None, bool]:
    """Return the proxy, and whether the environment's may be used: `proxy: null` excludes both."""
    for spec in (own, job):
        if "proxy" in spec.model_fields_set:
            return spec.proxy, spec.proxy is not None
    return None, True


def merged_headers(defaults: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Merge headers; the model's replace defaults of the same name, ignoring case."""
    replaced = {name.lower() for name in own}
    return {name: value for name, value in defaults.items() if name.lower() not in replaced} | dict(own)


def first_written(*values: bool | None) -> bool:
    """Return the first setting that is written; without one it is on."""
    return next((value for value in values if value is not None), True)


def response_format(job: JobSpec) -> dict[str, object]:
    """Return the job's response format as the parameter that is sent."""
    return {} if job.response_format is None else {"response_format": job.response_format}
