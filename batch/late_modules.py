"""Modules that a registry knows by name, and that are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from batch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def module_named(name: str, modules: Mapping[str, str], kind: str) -> Any:
    """Import the module of that name. Raises ``UsageError``, which lists the known names of this ``kind``."""
    module = modules.get(name)
    if module is None:
        raise UsageError(f"unknown {kind} {name!r}; known: {', '.join(modules)}")
    return import_module(module)
