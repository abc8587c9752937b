"""Resolve the prompts of a job file into chat messages.

A text is written in the job file, or is ``file://`` and the path of a file that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batch.diagnostics import Place, dotted, shown
from batch.errors import JobFileError
from batch.files import read_text
from batch.jobfile.job import Message, Prompt
from batch.jobfile.param_checks import check_params
from batch.jobfile.paths import OutsideError
from batch.jobfile.templates import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.diagnostics import At, Findings
    from batch.jobfile.paths import Bounds
    from batch.jobfile.schema.job_spec import JobSpec, MessageSpec, PromptSpec
    from batch.jobfile.syntax.tree import Tree

PREFIX = "file://"


@dataclass(frozen=True, slots=True)
class JobTexts:
    """Reads the texts of one job; errors go to ``findings``.

    Paths are relative to the job file and stay in its directories. ``files`` are those that were read.
    """

    tree: Tree
    findings: Findings
    bounds: Bounds
    files: list[Path] = field(default_factory=list)

    def plain(self, written: str, at: At) -> str:
        """Return the text, or that of the file that it names; ``None`` if that is an error."""
        return self._read(written, at)[0]

    def template(self, written: str, at: At) -> str:
        """Return a template in the same way, and check its syntax."""
        text, place = self._read(written, at)
        self._check(text, place, at)
        return text

    def check(self, template: str, at: At) -> None:
        """Report the syntax of a template that is never in a file of its own."""
        self._check(template, self.tree.places.value(at), at)

    def _check(self, template: str, place: Place, at: At) -> None:
        """Report an error on its own line of the file, if lines are known."""
        if problem := syntax_problem(template):
            what, line = problem
            self.findings.at_place(place.at_text_line(line), dotted(at), what)

    def _read(self, written: str, at: At) -> tuple[str, Place]:
        """Return a text and its place."""
        place = self.tree.places.value(at)
        if not written.startswith(PREFIX):
            return written, place
        name = written.removeprefix(PREFIX)
        try:
            path = self.bounds.resolve(name)
            text = read_text(path)
        except OutsideError as error:
            self.findings.at_value(at, f"{shown(name)}: {error}", "`--allow-path` allows another folder")
        except JobFileError as error:
            for diagnostic in error.diagnostics:
                if diagnostic.line:
                    self.findings.append(diagnostic)
                else:
                    self.findings.at_value(at, f"{shown(name)}: {diagnostic.what}", diagnostic.hint)
        else:
            self.files.append(path)
            if not text:
                self.findings.at_value(at, f"{shown(name)}: is empty")
            return text, Place(str(path), 1, 1, body=1)
        return "", place


_WAYS = ("prompt", "messages", "prompts")


def prompts_of(spec: JobSpec, texts: JobTexts) -> tuple[Prompt, ...]:
    """Return the job's prompts; errors go to the findings of ``texts``."""
    tree, findings = texts.tree, texts.findings
    written = [way for way in _WAYS if tree.value.get(way) is not None]
    if not written:
        findings.at_key((), "no prompt", "write `prompt`, `messages` or `prompts`")
    for way in written[1:]:
        findings.at_key((way,), f"cannot be combined with `{written[0]}`", "keep one of them")
    system = None if spec.system is None else texts.template(spec.system, ("system",))
    for index, image in enumerate(spec.images or ()):
        texts.check(image, ("images", index))
    reader = _Reader(texts, system, tuple(spec.images or ()))
    if spec.prompts is not None:
        prompts = tuple(reader.read(prompt, ("prompts", index)) for index, prompt in enumerate(spec.prompts))
        _check_unique(prompts, findings)
        return prompts
    return (reader.chat(None, system, spec.prompt, spec.messages, (), {}),)


def _check_unique(prompts: Sequence[Prompt], findings: Findings) -> None:
    seen: dict[object, str] = {}
    for index, prompt in enumerate(prompts):
        identity: object = (
            prompt.id if prompt.id is not None else repr((prompt.messages, prompt.params, prompt.images))
        )
        if identity in seen:
            what = (
                f"has the id of {seen[identity]}"
                if prompt.id is not None
                else f"is the same as {seen[identity]}"
            )
            findings.at_value(("prompts", index), what, "give each an `id` of its own")
        seen.setdefault(identity, f"prompts[{index}]")


@dataclass(frozen=True, slots=True)
class _Reader:
    texts: JobTexts
    system: str | None
    images: tuple[str, ...]

    def read(self, spec: PromptSpec, at: At) -> Prompt:
        """Read one of several prompts."""
        tree, findings = self.texts.tree, self.texts.findings
        written = tree.at(at)
        if isinstance(written, str):
            return self.chat(None, self.system, written, None, at, {})
        given = [way for way in ("prompt", "messages") if written.get(way) is not None]
        if not given:
            findings.at_value(at, "no prompt", "write `prompt` or `messages`")
        elif len(given) == 2:
            findings.at_key((*at, "messages"), "cannot be combined with `prompt`", "keep one of them")
        check_params(spec.params, (*at, "params"), findings)
        system = self.system
        if spec.system is not None:
            system = self.texts.template(spec.system, (*at, "system"))
        for index, image in enumerate(spec.images or ()):
            self.texts.check(image, (*at, "images", index))
        prompt = self.chat(spec.id, system, spec.prompt, spec.messages, at, spec.params)
        return prompt if spec.images is None else replace(prompt, images=tuple(spec.images))

    def chat(
        self,
        prompt_id: str | None,
        system: str | None,
        prompt: str | None,
        messages: list[MessageSpec] | None,
        at: At,
        params: dict[str, Any],
    ) -> Prompt:
        """Return the prompt as messages; prepend the system message unless they begin with one."""
        if messages is None:
            text_at = at if isinstance(self.texts.tree.at(at), str) else (*at, "prompt")
            chat = [Message("user", self.texts.template(prompt or "", text_at))]
        else:
            text_at = (*at, "messages")
            chat = [
                Message(message.role, self.texts.template(message.content, (*text_at, index, "content")))
                for index, message in enumerate(messages)
            ]
        if system is not None and chat[0].role not in ("system", "developer"):
            chat.insert(0, Message("system", system))
        place = self.texts.tree.places.key(text_at)
        return Prompt(prompt_id, tuple(chat), params, self.images, dotted(text_at), place.line, place.column)
