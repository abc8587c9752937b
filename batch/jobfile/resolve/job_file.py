"""Resolve the job file as written into the job, and collect every error."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.errors import JobFileError
from batch.jobfile.job import JobFile, Limits, Retries, Timeouts
from batch.jobfile.paths import Bounds, OutsideError, real, side_files
from batch.jobfile.resolve.inputs import inputs_of, table_of
from batch.jobfile.resolve.limits import (
    HasPrice,
    check_lengths,
    check_prices,
    check_row_lengths,
    has_own_price,
)
from batch.jobfile.resolve.matrix import matrix_of, warn_of_unused
from batch.jobfile.resolve.model_defaults import Models
from batch.jobfile.resolve.own_finish_reasons import finish_reasons_of
from batch.jobfile.resolve.prompts import JobTexts, prompts_of
from batch.jobfile.resolve.row_models import row_models
from batch.jobfile.schema.valid_parts import validated

if TYPE_CHECKING:
    from batch.diagnostics import At, Findings
    from batch.jobfile.job import Model, Prompt
    from batch.jobfile.schema.job_spec import JobSpec
    from batch.jobfile.syntax.job_rows import Survey
    from batch.jobfile.syntax.tree import Tree

_NOT_BESIDE_ROWS = ("prompt", "messages", "prompts", "inputs", "matrix")

_RESERVED = {
    ".jsonl.superseded.jsonl": "the superseded answers of",
    ".jsonl.runs.jsonl": "the history of",
}
"""The ends of names that no output may have, and what they are for."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a job comes from: its file or folder, its bounds, and those of its settings.

    ``has_price`` returns whether a price is known.
    """

    path: Path
    bounds: Bounds
    default_name: str
    settings_bounds: Bounds
    settings: Path | None = None
    has_price: HasPrice = has_own_price


def resolve(tree: Tree, findings: Findings, setting: Setting, survey: Survey | None = None) -> JobFile:
    """Return the job. Raises ``JobFileError`` with everything in ``findings``, if there is anything."""
    texts = JobTexts(tree, findings, setting.settings_bounds)
    job = _Resolver(validated(tree, findings), tree, findings, setting, texts).job(survey)
    if findings:
        raise UnsoundJobError(findings.error(), job, frozenset(findings.paths))
    return job


class UnsoundJobError(JobFileError):
    """A job file with errors. ``job`` is the rest of it, in which further errors can be looked for.

    ``invalid`` are the paths of the values that have errors.
    """

    def __init__(self, error: JobFileError, job: JobFile, invalid: frozenset[At]) -> None:
        super().__init__(error.diagnostics, error.count, error.notices, job.warnings)
        self.job = job
        self.invalid = invalid


@dataclass(slots=True)
class _Resolver:
    spec: JobSpec
    tree: Tree
    findings: Findings
    setting: Setting
    texts: JobTexts

    def job(self, survey: Survey | None) -> JobFile:
        name = self.spec.name or self.setting.default_name
        rows = None if survey is None else self.setting.path
        own, from_rows = self._models(survey)
        prompts = self._prompts(survey)
        limits = self._limits(own + from_rows, prompts, survey)
        matrix = matrix_of(self.spec.matrix, self.tree, self.findings)
        if self.spec.matrix is not None and prompts:
            warn_of_unused(matrix, prompts, self.tree, self.findings)
        return JobFile(
            name=name,
            path=self.setting.path,
            root=self.setting.bounds.root,
            bounds=self.setting.bounds,
            models=own + from_rows,
            prompts=prompts,
            inputs=inputs_of(self.spec.inputs, self.tree, self.findings, self.setting.bounds),
            matrix=matrix,
            matrix_places={name: self.tree.places.key(("matrix", name)) for each in matrix for name in each},
            samples=self.spec.samples,
            rows=rows,
            system=self._system() if rows else None,
            default_targets=tuple(model.id for model in own) if rows else (),
            output=self._output(name),
            order=self.spec.output.order,
            include=tuple(self.spec.output.include),
            on_change=self.spec.output.on_change,
            reasoning=self.spec.reasoning,
            on_length=self.spec.on_length,
            finish_reasons=finish_reasons_of(self.spec.finish_reasons, self.findings),
            concurrency=self.spec.concurrency,
            adaptive=self.spec.adaptive,
            retries=self._retries(),
            timeouts=Timeouts(**self.spec.timeouts.model_dump()),
            limits=limits,
            warnings=tuple(dict.fromkeys(self.findings.warnings)),
        )

    def _limits(
        self, models: tuple[Model, ...], prompts: tuple[Prompt, ...], survey: Survey | None
    ) -> Limits:
        spec = self.spec.limits
        limits = Limits(spec.cost, spec.tokens, spec.time, spec.failures)
        check_prices(limits, models, self.setting.has_price, self.findings)
        if survey is None:
            check_lengths(limits, models, prompts, self.findings)
        else:
            check_row_lengths(limits, models, survey, self.findings)
        return limits

    def _models(self, survey: Survey | None) -> tuple[tuple[Model, ...], tuple[Model, ...]]:
        """Return the models of the job file, and those that only its rows name."""
        resolver = Models(
            self.spec,
            self.tree,
            self.findings,
            self.setting.settings_bounds,
            "openai" if survey and survey.batch and not survey.own else None,
        )
        models = resolver.of_job()
        self._check_models_written(survey)
        if survey is None:
            return models, ()
        return row_models(survey, models, resolver, self.findings)

    def _check_models_written(self, survey: Survey | None) -> None:
        written = [key for key in ("model", "models") if self.tree.value.get(key) is not None]
        if len(written) == 2:
            self.findings.at_key(("models",), "cannot be combined with `model`", "keep one of them")
        elif not written and survey is None:
            self.findings.at_key((), "no model", "write `model` or `models`")
        elif not written and survey and survey.unnamed:
            hint = "name one in the row, in the settings or with `--model`"
            self.findings.at_place(survey.unnamed, "", "no model", hint)

    def _prompts(self, survey: Survey | None) -> tuple[Prompt, ...]:
        if survey is None:
            return prompts_of(self.spec, self.texts)
        for key in _NOT_BESIDE_ROWS:
            if self.tree.value.get(key) is not None:
                self.findings.at_key((key,), "not allowed for a JSONL job file", "leave it out")
        return ()

    def _system(self) -> str | None:
        """Return the system message of rows, which is not a template."""
        return None if self.spec.system is None else self.texts.plain(self.spec.system, ("system",))

    def _output(self, name: str) -> Path:
        root = self.setting.bounds.root
        at: At = ("output", "path")
        path: Path | None
        if (written := self.spec.output.path) is not None:
            path = self._path(written, at, self.setting.settings_bounds)
        elif name in (".", "..") or "/" in name or "\\" in name:
            self.findings.at_value(("name",), "not a valid name for an output file", "write another")
            return root
        else:
            at = ("name",)
            path = self._path(f"{root}/output/{name}.jsonl", at, self.setting.bounds)
        if path is not None and not (
            self._check_is_file(written or "", path, at) or self._check_not_read(path, at)
        ):
            self._check_names(path, at)
        return path or root

    def _check_is_file(self, written: str, output: Path, at: At) -> bool:
        """Report an output that is not a file; return whether there is an error."""
        if written == "-":
            self.findings.at_value(at, "results cannot be written to standard output", "name a file")
        elif use := next((use for end, use in _RESERVED.items() if output.name.endswith(end)), None):
            self.findings.at_value(at, f"this name is reserved for {use} another output", "name another file")
        elif written.endswith("/") or os.path.isdir(output):
            self.findings.at_value(at, "results cannot be written to a folder", "name a file")
        else:
            return False
        return True

    def _check_names(self, output: Path, at: At) -> None:
        """Report an output whose name is not that of a result file, or whose side files are links elsewhere.

        A job file may come from a stranger. A path that the user has typed is the user's own choice.
        """
        if at in self.tree.trusted:
            return
        if output.suffix.lower() != ".jsonl":
            self.findings.at_value(at, "the name of an output must end in `.jsonl`", "`-o` takes any name")
        for beside in side_files(output):
            if what := self.setting.bounds.problem(real(beside)):
                self.findings.at_value(at, f"{shown(beside.name)} is a link that {what}", "remove it")

    def _check_not_read(self, output: Path, at: At) -> bool:
        """Report an output that is also an input: it would be overwritten, or read endlessly."""
        table = table_of(self.spec.inputs)
        read = [self.setting.path, self.setting.settings, table and self.setting.bounds.base / table]
        read += self.texts.files
        is_read = any(path is not None and real(Path(path)) == output for path in read)
        if is_read:
            self.findings.at_value(at, "the output would overwrite a file of the job", "name another file")
        return is_read

    def _path(self, written: str, at: At, bounds: Bounds) -> Path | None:
        try:
            return bounds.resolve(written, trusted=at in self.tree.trusted)
        except OutsideError as error:
            self.findings.at_value(at, str(error), "`--allow-path` allows another folder")
            return None

    def _retries(self) -> Retries:
        spec = self.spec.retries
        if spec.base > spec.cap:
            self.findings.at_value(("retries", "base"), "longer than `retries.cap`")
        return Retries(**spec.model_dump())
