"""The prompts of a job file as chat messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batch.jobfile.job import Message, Prompt
from batch.jobfile.params import check_params
from batch.jobfile.places import dotted
from batch.jobfile.templates import syntax_complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.jobfile.places import At, Findings
    from batch.jobfile.schema import JobSpec, MessageSpec, PromptSpec
    from batch.jobfile.trees import Tree

_WAYS = ("prompt", "messages", "prompts")


def prompts_of(spec: JobSpec, tree: Tree, findings: Findings) -> tuple[Prompt, ...]:
    """The job's prompts; what is wrong with them goes to ``findings``."""
    reader = _Reader(tree, findings, spec.system, tuple(spec.images or ()))
    written = [way for way in _WAYS if tree.value.get(way) is not None]
    if not written:
        findings.at_key((), "nothing to ask", "write `prompt`, `messages` or `prompts`")
    for way in written[1:]:
        findings.at_key((way,), f"stands beside `{written[0]}`", "keep one of them")
    if spec.system is not None:
        reader.check_template(spec.system, ("system",))
    for index, image in enumerate(spec.images or ()):
        reader.check_template(image, ("images", index))
    if spec.prompts is not None:
        prompts = tuple(reader.read(prompt, ("prompts", index)) for index, prompt in enumerate(spec.prompts))
        _check_unique(prompts, findings)
        return prompts
    return (reader.chat(None, spec.system, spec.prompt, spec.messages, (), {}),)


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
    tree: Tree
    findings: Findings
    system: str | None
    images: tuple[str, ...]

    def read(self, spec: PromptSpec, at: At) -> Prompt:
        """One of several prompts."""
        written = self.tree.at(at)
        given = [way for way in ("prompt", "messages") if written.get(way) is not None]
        if not given:
            self.findings.at_value(at, "nothing to ask", "write `prompt` or `messages`")
        elif len(given) == 2:
            self.findings.at_key((*at, "messages"), "stands beside `prompt`", "keep one of them")
        check_params(spec.params, (*at, "params"), self.findings)
        if spec.system is not None:
            self.check_template(spec.system, (*at, "system"))
        system = spec.system if spec.system is not None else self.system
        for index, image in enumerate(spec.images or ()):
            self.check_template(image, (*at, "images", index))
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
        """The prompt as messages, with the system message before them unless they begin with one."""
        if messages is None:
            text_at = (*at, "prompt")
            self.check_template(prompt or "", text_at)
            chat = [Message("user", prompt or "")]
        else:
            text_at = (*at, "messages")
            for index, message in enumerate(messages):
                self.check_template(message.content, (*text_at, index, "content"))
            chat = [Message(message.role, message.content) for message in messages]
        if system is not None and chat[0].role not in ("system", "developer"):
            chat.insert(0, Message("system", system))
        place = self.tree.places.key(text_at)
        return Prompt(prompt_id, tuple(chat), params, self.images, dotted(text_at), place.line, place.column)

    def check_template(self, source: str, at: At) -> None:
        """Report the template's syntax, on its own line of the file where the layout tells."""
        if complaint := syntax_complaint(source):
            what, line = complaint
            place = self.tree.places.value(at).at_text_line(line)
            self.findings.at_place(place, dotted(at), what)
