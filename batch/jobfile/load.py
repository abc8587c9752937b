"""Load a job: from a YAML file, from a JSONL file with settings, or from a mapping in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.diagnostics import Findings
from batch.errors import Diagnostic, JobFileError
from batch.files import read_text
from batch.jobfile.paths import bounds_of
from batch.jobfile.resolve.job_file import Setting, resolve
from batch.jobfile.resolve.limits import HasPrice, has_own_price
from batch.jobfile.syntax.job_rows import survey
from batch.jobfile.syntax.mapping_tree import drop, from_mapping, put
from batch.jobfile.syntax.tree import Tree, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batch.jobfile.job import JobFile

ROWS = (".jsonl", ".ndjson")
"""The suffixes of job files that hold one request per line."""

# A flag for one of these replaces the whole group.
_GROUPS = (("model", "models"), ("prompt", "messages", "prompts"), ("api_key_env", "api_key_file"))


def load(
    path: Path,
    *,
    settings: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    flags: Mapping[str, str] | None = None,
    allow: Sequence[Path] = (),
    has_price: HasPrice = has_own_price,
    home: Path | None = None,
) -> JobFile:
    """Load the job file at ``path``: YAML, or JSONL with the keys of ``settings`` (a YAML file).

    ``overrides`` are dotted keys that replace those in the file (``{"params.temperature": 0.2}``); a value
    that is a ``Path`` may point anywhere. ``flags`` names the flag of such a key if it is not ``--set``.
    ``allow`` adds directories that paths may point into. ``has_price`` returns whether the price of a model
    is known. ``home`` is the user's home folder, which is never the root of a job in ``jobs/``.

    Raises ``JobFileError`` with all errors.
    """
    bounds = bounds_of(path.parent, allow, home)
    if path.suffix.lower() in ROWS:
        settings_bounds = bounds if settings is None else bounds_of(settings.parent, allow, home)
        setting = Setting(path, bounds, path.stem, settings_bounds, settings, has_price)
        return _load_rows(setting, _Overrides(overrides or {}, flags or {}))
    if settings is not None:
        what = "settings in a file of their own are for JSONL job files"
        raise JobFileError([Diagnostic(str(settings), 0, 0, "", what, f"move them into {path.name}")])
    tree = read_yaml(read_text(path), str(path))
    findings = _Overrides(overrides or {}, flags or {}).put_into(tree)
    setting = Setting(path, bounds, path.stem, bounds, has_price=has_price)
    return resolve(tree, findings, setting)


def load_mapping(
    job: Mapping[str, object],
    base: Path,
    *,
    overrides: Mapping[str, object] | None = None,
    allow: Sequence[Path] = (),
    has_price: HasPrice = has_own_price,
    home: Path | None = None,
) -> JobFile:
    """Load a mapping with the keys of a YAML job file; its paths are relative to the folder ``base``.

    Raises ``JobFileError`` with all errors; their path is ``job``.
    """
    tree = from_mapping(job, "job")
    findings = _Overrides(overrides or {}, {}).put_into(tree)
    bounds = bounds_of(base, allow, home)
    setting = Setting(base, bounds, "job", bounds, has_price=has_price)
    return resolve(tree, findings, setting)


def _load_rows(setting: Setting, overrides: _Overrides) -> JobFile:
    tree = from_mapping({}, str(setting.path))
    if setting.settings is not None:
        tree = read_yaml(read_text(setting.settings), str(setting.settings))
    findings = overrides.put_into(tree)
    found = survey(setting.path, findings)
    return resolve(tree, findings, setting, found)


@dataclass(frozen=True, slots=True)
class _Overrides:
    """Values that replace those in the file, and the flags that they come from."""

    values: Mapping[str, object]
    flags: Mapping[str, str]

    def put_into(self, tree: Tree) -> Findings:
        """Apply the overrides to the tree; return the errors of doing so."""
        findings = Findings(tree.places)
        findings.extend(tree.diagnostics)
        findings.paths |= tree.paths
        findings.warnings += tree.warnings
        for key, value in self.values.items():
            for group in _GROUPS:
                if key in group:
                    for other in group:
                        drop(tree, other)
            put(tree, key, value, findings, self.flags.get(key))
        return findings
