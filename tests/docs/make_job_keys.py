"""Writes ``docs/job_keys.md`` from the JSON Schema of job files: ``python -m tests.docs.make_job_keys``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from batch.jobfile.schema.json_schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "job_keys.md"

GROUPS = {
    "Prompts": ("name", "prompt", "messages", "prompts", "system", "images"),
    "Inputs and variants": ("inputs", "matrix", "samples"),
    "Endpoint and model": (
        "provider",
        "model",
        "models",
        "base_url",
        "endpoint_scope",
        "engine",
        "api_key_env",
        "api_key_file",
        "headers",
        "proxy",
        "mode",
        "keep_alive",
        "params",
        "price",
    ),
    "Answers": ("response_format", "on_length", "finish_reasons", "reasoning"),
    "Speed": ("concurrency", "adaptive", "rate_limits"),
    "Retries, timeouts and limits": ("retries", "timeouts", "limits"),
    "Output": ("output",),
}
"""The keys at the top of a job file, by heading. Their own keys follow them."""

SAME_AS = {"models": "model"}
"""Keys whose parts are described once, under another key."""

_HEAD = """\
---
hide: [toc]
---

# Job file keys

All keys of a job file, from its JSON Schema, written by `python -m tests.docs.make_job_keys`. `promptjobs
schema` prints the schema, and `promptjobs init` writes it next to a new job file, so that an editor can
complete and check the keys. [The job file](job_file.md) explains how they work together.

- A *duration* is a number of seconds or text such as `500ms`, `90s`, `5m` or `1.5h`.
- A *list of strings* may be written as one string if it has one entry.
- `prompts[].id` is the key `id` of an entry of the list `prompts`.
- A key that starts with `x-` is ignored. Use one to hold YAML anchors.
"""

_INHERITED = """
The mapping of a model takes every key of this section from `provider` to `params`, and `rate_limits`. Such a
key overrides the one at the top of the file for this model.
"""


class Key:
    """One key: its path, and its part of the schema."""

    def __init__(self, path: str, field: dict[str, Any], *, required: bool) -> None:
        self.path = path
        self.field = field
        self.required = required

    def row(self) -> str:
        """The row of the table."""
        examples = [f"`{_cell(_inline(example))}`" for example in self.field.get("examples", [])]
        cells = (f"`{self.path}`", _cell(kind(self.field)), self._default(), _cell(self.field["description"]))
        return f"| {' | '.join((*cells, *examples))} |\n"

    def _default(self) -> str:
        if self.required:
            return "required"
        default = self.field.get("default")
        if default is None or isinstance(default, dict | list):
            return ""
        if kind(self.field) == "duration":
            return f"`{_number(default)}s`"
        return f"`{_inline(default)}`"


def page() -> str:
    """The page as it should be."""
    return _HEAD + "".join(_section(title, names) for title, names in GROUPS.items())


def keys() -> list[Key]:
    """Every key of a job file in the order of the page."""
    return [key for names in GROUPS.values() for key in _keys(names)]


def top_level() -> set[str]:
    """The keys at the top of a job file."""
    return set(json_schema()["properties"])


def _section(title: str, names: tuple[str, ...]) -> str:
    rows = "".join(key.row() for key in _keys(names))
    more = _INHERITED if "model" in names else ""
    head = "| key | type | default | meaning | example |\n|---|---|---|---|---|\n"
    return f"\n## {title}\n{more}\n{head}{rows}"


def _keys(names: tuple[str, ...]) -> Iterator[Key]:
    schema = json_schema()
    for name in names:
        yield from _walk(schema, schema, name, name)


def _walk(schema: dict[str, Any], part: dict[str, Any], name: str, path: str) -> Iterator[Key]:
    field = part["properties"][name]
    yield Key(path, field, required=name in part.get("required", []))
    inner, is_list = _mapping(schema, field)
    if inner is None or path in SAME_AS:
        return
    inherited = set(schema["properties"]) if path == "model" else set()
    for each in inner["properties"]:
        if each not in inherited or each in ("model", "concurrency"):
            yield from _walk(schema, inner, each, f"{path}{'[]' if is_list else ''}.{each}")


def _mapping(schema: dict[str, Any], field: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The mapping that a field holds, and whether it holds a list of them; ``None`` where it holds none."""
    for each in [field, *field.get("anyOf", []), *field.get("allOf", [])]:
        if "$ref" in each:
            name = each["$ref"].rpartition("/")[2]
            return schema["definitions"][name], False
        if each.get("type") == "array" and (inner := _mapping(schema, each["items"])[0]) is not None:
            return inner, True
    return None, False


def kind(field: dict[str, Any]) -> str:
    """The type of a field in words."""
    words = list(dict.fromkeys(_kind(each) for each in _options(field)))
    words = [word for word in words if word != "null"]
    if "duration" in words:
        return "duration"
    if "list of strings" in words:
        return "list of strings"
    return " or ".join(words)


def _options(field: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = field.get("anyOf", field.get("allOf"))
    if inner is None:
        yield field
    for each in inner or ():
        yield from _options(each)


_SIMPLE = {"string": "string", "boolean": "true or false", "null": "null", "object": "mapping"}
_RANGES = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ "}


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        inner = kind(field["items"])
        return "list of " + " or ".join(w if w.startswith("`") else f"{w}s" for w in inner.split(" or "))
    if field.get("type") in ("integer", "number"):
        bounds = [f"{sign}{_number(field[bound])}" for bound, sign in _RANGES.items() if bound in field]
        return f"{field['type']} {', '.join(bounds)}".strip()
    pattern = field.get("pattern", "")
    if "(ms|s|m|h)" in pattern:
        return "duration"
    return "percentage" if "%" in pattern else _SIMPLE[field.get("type", "object")]


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) >= 1e6 else str(value).removesuffix(".0")


def _inline(value: object) -> str:
    """The value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
