"""Prompts filled with rows: the short way of plain templates gives what Jinja gives, or complains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError

from batch.inputs.render import PromptTemplate, RenderError
from batch.jobfile.job import Message, Prompt
from batch.jobfile.paths import bounds_of
from batch.jobfile.templates import environment

HERE = bounds_of(Path.cwd())
NAMES = ["text", "name", "self", "range", "loop", "missing"]
PIECES = st.sampled_from(
    ["plain", "\n", " \r\n", "{{ '{{' }}", "{# a comment #}", "{{- text }}", "{{ name|upper }}", "{{ text }}"]
    + ["{% raw %}{{ text }}{% endraw %}", "{% if name %}yes{% endif %}", "{{ 1 }}", "{{ name.x }}", "é\u2028"]
    + [f"{{{{ {name} }}}}" for name in NAMES]
)
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["{{ name }}", "{% raw %}", "<b>&", None, 3, 0.5, True, [1, "a"], {"x": "y"}]),
)
ROWS = st.dictionaries(st.sampled_from(NAMES[:-1]), VALUES)


def jinja(content: str, row: dict[str, Any]) -> str | None:
    """What Jinja makes of it; ``None`` where it has something to complain about."""
    try:
        return environment().from_string(content).render(row)
    except (TemplateError, TypeError):
        return None


@given(st.lists(PIECES).map("".join), ROWS)
def test_a_prompt_is_filled_as_jinja_fills_it(content: str, row: dict[str, Any]) -> None:
    template = PromptTemplate(Prompt(None, (Message("user", content),)), HERE)
    expected = jinja(content, row)
    if not (expected or "").strip():  # a blank prompt is an error, too
        with pytest.raises(RenderError):
            template.render(row)
    else:
        assert template.render(row) == ({"role": "user", "content": expected},)


def test_what_a_column_holds_is_no_template() -> None:
    template = PromptTemplate(Prompt(None, (Message("user", "Say {{ text }}!"),)), HERE)
    (message,) = template.render({"text": "{{ 7 * 7 }}{% for x in range(9) %}x{% endfor %}"})
    assert message["content"] == "Say {{ 7 * 7 }}{% for x in range(9) %}x{% endfor %}!"


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        (
            "order.items",
            "the template prints `items` itself, not its result",
            "write `items()`; or `['items']` for a key of that name",
        ),
        (
            "name.title",
            "the template prints `title` itself, not its result",
            "write `title()`; or `['title']` for a key of that name",
        ),
        (
            "shout",
            "the template prints `shout` itself, not its result",
            "write `shout()`; or `['shout']` for a key of that name",
        ),
        (
            "order['items']|map('upper')",
            "the template prints a generator, not a list",
            "end it with `|join(', ')` or `|list`",
        ),
        (
            "order['items']|reverse",
            "the template prints a generator, not a list",
            "end it with `|join(', ')` or `|list`",
        ),
    ],
)
def test_an_address_in_memory_is_no_text(expression: str, said: str, hint: str) -> None:
    row = {"order": {"items": ["a", "b"]}, "name": "ann"}
    content = f"{{% macro shout() %}}!{{% endmacro %}}Say {{{{ {expression} }}}}!"
    template = PromptTemplate(Prompt(None, (Message("user", content),)), HERE)
    with pytest.raises(RenderError) as caught:
        template.render(row)
    assert (caught.value.what, caught.value.hint) == (said, hint)


def test_bytes_are_no_text() -> None:
    template = PromptTemplate(Prompt(None, (Message("user", "{{ picture }}"),)), HERE)
    with pytest.raises(RenderError) as caught:
        template.render({"picture": b"\x89PNG"})
    assert (caught.value.what, caught.value.hint) == (
        "the template prints bytes, not text",
        "leave the column `picture` out",
    )


def test_what_the_hints_say_is_text() -> None:
    content = "{{ order['items']|map('upper')|join(', ') }} {{ name.title() }} {{ order['items'] }}"
    template = PromptTemplate(Prompt(None, (Message("user", content),)), HERE)
    (message,) = template.render({"order": {"items": ["a", "b"]}, "name": "ann"})
    assert message["content"] == "A, B Ann ['a', 'b']"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("9 ** (9 ** 9)", 'the template fails: "a power that is too large"'),
        ("9 ** 9 ** 9 ** 9 ** 9", 'the template fails: "a power that is too large"'),
        ("'x' * 10 ** 10", 'the template fails: "a text that is too long"'),
        ("10 ** 10 * [name]", 'the template fails: "a text that is too long"'),
        ("name|center(150000000)", "the rendered prompt is larger than 128 MiB"),
    ],
)
def test_no_operation_takes_hours_or_all_memory(expression: str, said: str) -> None:
    template = PromptTemplate(Prompt(None, (Message("user", f"Say {{{{ {expression} }}}}!"),)), HERE)
    with pytest.raises(RenderError) as caught:
        template.render({"name": "ann"})
    assert caught.value.what == said


def test_arithmetic_is_what_it_was() -> None:
    content = "{{ 3 * 4 }} {{ 2 ** 10 }} {{ '-' * 3 }} {{ 0.5 * 3 }} {{ 2 ** -1 }} {{ -1 * 'x' }}"
    template = PromptTemplate(Prompt(None, (Message("user", content),)), HERE)
    (message,) = template.render({})
    assert message["content"] == "12 1024 --- 1.5 0.5 "
