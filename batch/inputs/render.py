"""Prompts as compiled templates: filled with a row's variables, they are the messages to send."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from batch.files import is_unicode
from batch.inputs.images import ImageError, with_images
from batch.inputs.template_faults import TemplateFaults
from batch.jobfile.job import INSTRUCTIONS
from batch.jobfile.nulls import EmptyValueError
from batch.jobfile.templates import FAILURES, MAX_LENGTH, environment, is_plain, pieces_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

    from batch.errors import Diagnostic
    from batch.jobfile import Prompt
    from batch.jobfile.paths import Bounds
    from batch.records import JSONObject

_ON_EMPTY = "`inputs.on_empty` may `skip` or `send` such rows"


class RenderError(ValueError):
    """A row that cannot be filled into a prompt. ``what`` is the error; ``hint`` may be empty.

    ``at`` are the same errors at their places in the prompt; none if only the row is to blame.
    """

    def __init__(self, what: str, hint: str = "", at: tuple[Diagnostic, ...] = ()) -> None:
        self.what = what
        self.hint = hint
        self.at = at
        super().__init__(what)


class EmptyPromptError(RenderError):
    """A row that leaves a prompt blank, or prints null or NaN in it."""


class PromptTemplate:
    """One prompt, compiled once. ``sends_empty``: null prints nothing, and a blank prompt is sent."""

    def __init__(self, prompt: Prompt, bounds: Bounds, *, sends_empty: bool = False) -> None:
        self.prompt = prompt
        self._sends_empty = sends_empty
        self._bounds = bounds
        self._roles = [message.role for message in prompt.messages]
        contents = [message.content for message in prompt.messages]
        self._texts = [_Text(text, sends_empty=sends_empty) for text in (*contents, *prompt.images)]
        self._asking = [index for index, role in enumerate(self._roles) if role not in INSTRUCTIONS]

    def render(self, variables: Mapping[str, Any]) -> tuple[JSONObject, ...]:
        """Return the messages for one row. The values of variables are never templates.

        Raises ``RenderError``, and its subclass ``EmptyPromptError`` unless empty prompts are sent.
        """
        try:
            texts = [text.filled(variables) for text in self._texts]
        except FAILURES:
            raise self._failure(variables) from None
        size = 0
        for text in texts:
            size += len(text)
            if not (text.isascii() or is_unicode(text)):
                raise RenderError("the rendered prompt contains an unpaired surrogate")
        if size > MAX_LENGTH:
            raise RenderError(f"the rendered prompt is larger than {MAX_LENGTH >> 20} MiB")
        if not self._sends_empty:
            self._refuse_blank(texts)
        messages = tuple([{"role": role, "content": text} for role, text in zip(self._roles, texts)])  # noqa: B905
        images = texts[len(messages) :]
        return self._with_images(messages, images) if images else messages

    @cached_property
    def _faults(self) -> TemplateFaults:
        return TemplateFaults(self.prompt)

    def _failure(self, variables: Mapping[str, Any]) -> RenderError:
        """Fill one text after the other, and return the error of the first that fails."""
        for index, text in enumerate(self._texts):
            try:
                text.filled(variables)
            except FAILURES as error:
                at = self._faults.of(index, error, variables)
                kind = EmptyPromptError if isinstance(error, EmptyValueError) else RenderError
                return kind(at[0].what, at[0].hint, at)
        return RenderError("the template fails in one of two attempts")

    def _refuse_blank(self, texts: list[str]) -> None:
        for index in self._asking:
            if texts[index] and not texts[index].isspace():
                return
        if self._asking and len(texts) == len(self._roles):  # an image without text is a valid prompt
            at = self._faults.blank(_ON_EMPTY)
            raise EmptyPromptError("the prompt is blank for this row", _ON_EMPTY, at)

    def _with_images(self, messages: tuple[JSONObject, ...], images: list[str]) -> tuple[JSONObject, ...]:
        try:
            return with_images(messages, images, self._bounds)
        except ImageError as error:
            # The data is to blame for an image that it names.
            at = self._faults.image(error) if is_plain(self.prompt.images[error.index]) else ()
            raise RenderError(f"images[{error.index}]: {error.what}", error.hint, at) from None


class _Text:
    """The template of one message; one with only text and names is filled at a tenth of the cost."""

    def __init__(self, content: str, *, sends_empty: bool) -> None:
        self._content = content
        self._sends_empty = sends_empty
        self._pieces = pieces_of(content)
        self._template: Template | None = None

    def filled(self, variables: Mapping[str, Any]) -> str:
        if self._pieces is not None:
            try:
                return "".join([text if name is None else variables[name] for text, name in self._pieces])
            except (KeyError, TypeError):
                pass  # a missing column, or a value that is not text
        if self._template is None:  # compiling takes longer than anything else, and few texts need it
            self._template = environment(sends_empty=self._sends_empty).from_string(self._content)
            # Copying the chain of globals would be most of the rendering time.
            self._template.globals = dict(self._template.globals)
        return self._template.render(variables)
