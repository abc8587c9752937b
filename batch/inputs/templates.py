"""Prompts as compiled templates: filled with a row's variables, they are the messages that are sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, UndefinedError

from batch.jobfile.explain import did_you_mean
from batch.jobfile.places import shown
from batch.jobfile.templates import environment
from batch.jobfile.trees import is_unicode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

    from batch.jobfile import Prompt
    from batch.records import JSONObject

_UNDEFINED = re.compile(r"'(.*)' is undefined\Z", re.DOTALL)


class RenderError(ValueError):
    """A row that a prompt cannot be filled with. ``what`` is wrong, and ``hint`` may be empty."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


class PromptTemplate:
    """One prompt, compiled once."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self._messages = [(message.role, _compiled(message.content)) for message in prompt.messages]

    def render(self, variables: Mapping[str, Any]) -> tuple[JSONObject, ...]:
        """The messages for one row. Raises ``RenderError``. What the variables hold is never a template."""
        try:
            texts = [template.render(variables) for _, template in self._messages]
        except UndefinedError as error:
            raise _undefined(error, variables) from None
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RenderError(f"the template fails: {shown(str(error))}") from None
        except (RecursionError, MemoryError) as error:
            raise RenderError(f"the template fails: {type(error).__name__}") from None
        if not all(map(is_unicode, texts)):
            raise RenderError("the template gives half of a surrogate pair")
        return tuple(
            {"role": role, "content": text} for (role, _), text in zip(self._messages, texts, strict=True)
        )


def _compiled(content: str) -> Template:
    """A template with its globals in a plain dict: copying the chain they come in is most of a rendering."""
    template = environment().from_string(content)
    template.globals = dict(template.globals)
    return template


def _undefined(error: UndefinedError, variables: Mapping[str, Any]) -> RenderError:
    message = error.message or "something is undefined"
    match = _UNDEFINED.match(message)
    if match is None:
        return RenderError(f"the template fails: {shown(message)}")
    known = [name for name in variables if name.isidentifier()]
    hint = did_you_mean(match[1], known) or (f"it has {', '.join(sorted(known)[:20])}" if known else "")
    return RenderError(f"no variable `{shown(match[1])}` for the prompt", hint)
