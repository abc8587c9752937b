"""Prompts as compiled templates: filled with a row's variables, they are the messages to send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, UndefinedError, nodes

from batch.diagnostics import did_you_mean, shown
from batch.files import is_unicode
from batch.inputs.images import ImageError, with_images
from batch.jobfile.nulls import EmptyValueError, UnprintableError
from batch.jobfile.templates import MAX_LENGTH, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.jobfile import Prompt
    from batch.jobfile.paths import Bounds
    from batch.records import JSONObject

_INSTRUCTIONS = ("system", "developer")
_ON_EMPTY = "`inputs.on_empty` may `skip` or `send` such rows"
_UNDEFINED = re.compile(r"'(.*)' is undefined\Z", re.DOTALL)


class RenderError(ValueError):
    """A row that cannot be filled into a prompt. ``what`` is the error; ``hint`` may be empty."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
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
        # Messages with content of their own; instructions alone are not a prompt.
        self._asking = [index for index, role in enumerate(self._roles) if role not in _INSTRUCTIONS]

    def render(self, variables: Mapping[str, Any]) -> tuple[JSONObject, ...]:
        """Return the messages for one row. The values of variables are never templates.

        Raises ``RenderError``, and its subclass ``EmptyPromptError`` unless empty prompts are sent.
        """
        try:
            texts = [text.filled(variables) for text in self._texts]
        except UndefinedError as error:
            raise _undefined(error, variables) from None
        except EmptyValueError as error:
            raise EmptyPromptError(str(error), error.hint) from None
        except UnprintableError as error:
            raise RenderError(str(error), error.hint) from None
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RenderError(f"the template fails: {shown(str(error))}") from None
        except (RecursionError, MemoryError) as error:
            raise RenderError(f"the template fails: {type(error).__name__}") from None
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

    def _refuse_blank(self, texts: list[str]) -> None:
        for index in self._asking:
            if texts[index] and not texts[index].isspace():
                return
        if self._asking and len(texts) == len(self._roles):  # an image without text is a valid prompt
            raise EmptyPromptError("the prompt is blank for this row", _ON_EMPTY)

    def _with_images(self, messages: tuple[JSONObject, ...], images: list[str]) -> tuple[JSONObject, ...]:
        try:
            return with_images(messages, images, self._bounds)
        except ImageError as error:
            raise RenderError(f"images[{error.index}]: {error.what}", error.hint) from None


class _Text:
    """The template of one message; one with only text and names is filled at a tenth of the cost."""

    def __init__(self, content: str, *, sends_empty: bool) -> None:
        self._template = environment(sends_empty=sends_empty).from_string(content)
        # Copying the chain of globals would be most of the rendering time.
        self._template.globals = dict(self._template.globals)
        self._pieces = _pieces(environment().parse(content))

    def filled(self, variables: Mapping[str, Any]) -> str:
        if self._pieces is not None:
            try:
                return "".join([text if name is None else variables[name] for text, name in self._pieces])
            except (KeyError, TypeError):
                pass  # a missing column, or a value that is not text
        return self._template.render(variables)


def _pieces(template: nodes.Template) -> list[tuple[str, str | None]] | None:
    """Return texts, and names that stand for one; ``None`` if the template does more than print them."""
    pieces: list[tuple[str, str | None]] = []
    for output in template.body:
        for node in output.nodes if isinstance(output, nodes.Output) else [output]:
            if isinstance(node, nodes.TemplateData):
                pieces.append((node.data, None))
            elif isinstance(node, nodes.Name) and node.name != "self":
                pieces.append(("", node.name))
            else:
                return None
    return pieces


def _undefined(error: UndefinedError, variables: Mapping[str, Any]) -> RenderError:
    message = error.message or "something is undefined"
    match = _UNDEFINED.match(message)
    if match is None:
        return RenderError(f"the template fails: {shown(message)}")
    known = [name for name in variables if name.isidentifier()]
    hint = did_you_mean(match[1], known) or (f"it has {', '.join(sorted(known)[:20])}" if known else "")
    return RenderError(f"no variable `{shown(match[1])}` for the prompt", hint)
