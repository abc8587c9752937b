"""Endpoints of which each worker on Ray has one of its own (``endpoint_scope: worker``).

Each is an endpoint of the target, with a circuit, a first request and a concurrency limit of its own. It
belongs to a place among the workers: a worker that is lost and its successor have the same endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.app.run.endpoints import members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.app.run.endpoints import Address
    from batch.app.run.options import RunOptions
    from batch.jobfile.job import Model
    from batch.protocols import Provider


def endpoint_names(model: Model, options: RunOptions) -> tuple[str, ...]:
    """Return the names of the endpoints of a model in a run."""
    if options.ray is None or model.endpoint_scope == "job":
        return tuple(members(model))
    from batch.executors.worker_pool import places  # noqa: PLC0415 - most runs have no workers

    return tuple(_name(member, place) for place in places(options.ray.workers) for member in members(model))


def by_place(
    providers: Mapping[str, Provider], addresses: Mapping[str, Address], options: RunOptions
) -> Mapping[str, Provider]:
    """Return the providers by the names of their endpoints, from those by the names of their addresses."""
    if options.ray is None:
        return providers
    from batch.executors.worker_pool import WorkerEndpoint, places  # noqa: PLC0415 - most runs have no workers

    found: dict[str, Provider] = {}
    for name, provider in providers.items():
        if isinstance(provider, WorkerEndpoint) and addresses[name].model.endpoint_scope == "worker":
            found |= {_name(name, place): provider.at(place) for place in places(options.ray.workers)}
        else:
            found[name] = provider
    return found


def _name(member: str, place: int) -> str:
    return f"{member} on worker {place}"
