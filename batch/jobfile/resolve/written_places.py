"""Where the settings of a model and its endpoint are written: in the model, or at the top for all models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.diagnostics import dotted
from batch.jobfile.job import Written

if TYPE_CHECKING:
    from batch.diagnostics import At
    from batch.jobfile.schema.model_spec import EndpointSpec, ModelSpec
    from batch.jobfile.syntax.tree import Tree

_KEYS = ("base_url", "api_key_env", "api_key_file", "proxy", "provider")


def written_places(
    tree: Tree, at: At, specs: tuple[EndpointSpec, ModelSpec], name: Written
) -> dict[str, Written]:
    """Return the places of a model's settings: those of the job, replaced by those of the model ``at``.

    ``specs`` are those of the job and of the model, ``name`` is where the model's name is written. A row of a
    JSONL job has no settings of its own, and ``at`` is empty.
    """
    job, own = specs
    places = _of(tree, (), job)
    if at:
        places |= _of(tree, at, own)
    places |= {f"base_urls {url}": (*at, "base_urls", index) for index, url in enumerate(own.base_urls or ())}
    found = {key: Written(dotted(each), tree.places.value(each)) for key, each in places.items()}
    return found | {"model": name}


def _of(tree: Tree, at: At, spec: EndpointSpec) -> dict[str, At]:
    places: dict[str, At] = {key: (*at, key) for key in _KEYS if is_written(tree, at, key)}
    return places | {f"headers.{name}": (*at, "headers", name) for name in spec.headers}


def is_written(tree: Tree, at: At, key: str) -> bool:
    """Return whether a mapping of the tree has a value for a key."""
    holder = tree.at(at)
    return isinstance(holder, dict) and holder.get(key) is not None


def name_at(tree: Tree, at: At) -> At:
    """Return the path of the name of the model ``at``: its own text, or a key of it."""
    return (*at, "model") if isinstance(tree.at(at), dict) else at
