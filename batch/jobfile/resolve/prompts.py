"""Resolve the prompts of a job file into chat messages.

A text is written in the job file, or is ``file://`` and the path of a file that holds it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batch.diagnostics import Place, dotted, shown
from batch.errors import JobFileError
from batch.files import read_text
from batch.jobfile.job import INSTRUCTIONS, Message, Prompt
from batch.jobfile.param_checks import check_params
from batch.jobfile.paths import OutsideError, near_file
from batch.jobfile.template_places import place_in
from batch.jobfile.template_syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
        """Return the text, or that of the file that it names; an empty text if that is an error."""
        return self._read(written, at)[0]

    def message(self, role: str, written: str, at: At) -> Message:
        """Return a message with its template, and check the template's syntax."""
        text, place = self._read(written, at)
        self._check(text, place, at)
        return Message(role, text, dotted(at), place)

    def check(self, template: str, at: At) -> Place:
        """Report the syntax of a template that is never in a file of its own; return its place."""
        place = self.tree.places.value(at)
        self._check(template, place, at)
        return place

    def _check(self, template: str, place: Place, at: At) -> None:
        """Report an error at its own place in the template, if that is known."""
        if problem := syntax_problem(template):
            found = place_in(place, template, problem.offset)
            self.findings.at_path(at, found, problem.what, problem.hint)

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
                    hint = diagnostic.hint or ("" if os.path.lexists(path) else near_file(path))
                    self.findings.at_value(at, f"{shown(name)}: {diagnostic.what}", hint)
        else:
            self.files.append(path)
            if not text:
                self.findings.at_value(at, f"{shown(name)}: is empty")
            return text, Place(str(path), 1, 1, text)
        return "", place


_NO_VALUE = "write the text after it, in quotes if it starts with `#`"
_WAYS = ("prompt", "messages", "prompts")


def prompts_of(spec: JobSpec, texts: JobTexts) -> tuple[Prompt, ...]:
    """Return the job's prompts; errors go to the findings of ``texts``."""
    tree, findings = texts.tree, texts.findings
    written = [way for way in _WAYS if tree.value.get(way) is not None]
    if not written:
        empty = next(((way,) for way in _WAYS if way in tree.value), ())
        what = "has no value" if empty else "no prompt"
        findings.at_key(empty, what, _NO_VALUE if empty else "write `prompt`, `messages` or `prompts`")
        return ()
    for way in written[1:]:
        findings.at_key((way,), f"cannot be combined with `{written[0]}`", "keep one of them")
    system = None if spec.system is None else texts.message("system", spec.system, ("system",))
    places = tuple(texts.check(image, ("images", index)) for index, image in enumerate(spec.images or ()))
    reader = _Reader(texts, system, tuple(spec.images or ()), places)
    if spec.prompts is not None:
        every: Iterator[tuple[At, PromptSpec]] = (
            (("prompts", index), prompt) for index, prompt in enumerate(spec.prompts)
        )
        prompts = {at: reader.read(prompt, at) for at, prompt in every if at not in tree.invalid}
        _check_unique(prompts, findings)
        return tuple(prompts.values())
    return (reader.chat(None, system, spec.prompt, spec.messages, (), {}),)


def _check_unique(prompts: Mapping[At, Prompt], findings: Findings) -> None:
    seen: dict[str, str] = {}
    for at, prompt in prompts.items():
        chat = [(message.role, message.content) for message in prompt.messages]
        identity = prompt.id if prompt.id is not None else repr((chat, prompt.params, prompt.images))
        if identity in seen:
            what = (
                f"has the id of {seen[identity]}"
                if prompt.id is not None
                else f"is the same as {seen[identity]}"
            )
            findings.at_value(at, what, "give each an `id` of its own")
        seen.setdefault(identity, dotted(at))


@dataclass(frozen=True, slots=True)
class _Reader:
    texts: JobTexts
    system: Message | None
    images: tuple[str, ...]
    image_places: tuple[Place, ...]

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
            system = self.texts.message("system", spec.system, (*at, "system"))
        prompt = self.chat(spec.id, system, spec.prompt, spec.messages, at, spec.params)
        if spec.images is None:
            return prompt
        images: Iterator[tuple[str, At]] = (
            (image, (*at, "images", index)) for index, image in enumerate(spec.images)
        )
        places = tuple(self.texts.check(image, image_at) for image, image_at in images)
        return replace(prompt, images=tuple(spec.images), image_places=places)

    def chat(
        self,
        prompt_id: str | None,
        system: Message | None,
        prompt: str | None,
        messages: list[MessageSpec] | None,
        at: At,
        params: dict[str, Any],
    ) -> Prompt:
        """Return the prompt as messages; prepend the system message unless they begin with one."""
        if messages is None:
            text_at = at if isinstance(self.texts.tree.at(at), str) else (*at, "prompt")
            chat = [self.texts.message("user", prompt or "", text_at)]
        else:
            text_at = (*at, "messages")
            every: Iterator[tuple[MessageSpec, At]] = (
                (message, (*text_at, index)) for index, message in enumerate(messages)
            )
            chat = [
                self.texts.message(message.role, message.content, (*message_at, "content"))
                for message, message_at in every
                if message_at not in self.texts.tree.invalid
            ]
        if system is not None and not (chat and chat[0].role in INSTRUCTIONS):
            chat.insert(0, system)
        place = self.texts.tree.places.key(text_at)
        return Prompt(
            prompt_id,
            tuple(chat),
            params,
            self.images,
            dotted(text_at),
            place.line,
            self.image_places,
        )
