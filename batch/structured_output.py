"""Structured answers: the requirements of a ``response_format``, and how an answer violates them.

jsonschema (extra ``schema``) validates JSON Schema; it is imported when a job first needs it. A ``$ref`` may
point to places in the schema itself; nothing is ever fetched.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Check: TypeAlias = Callable[[Any], list[str]]
    """Returns the errors of a value as messages."""

_MAX_PROBLEMS = 3
_MAX_PROBLEM_LENGTH = 200
_MAX_DEPTH = 200
"""The maximum nesting of a value: results are encoded and decoded again, which has a limit, too."""

_WORDS = {None: "null", True: "true", False: "false"}
_FENCE = "```"
_TYPES = ("text", "json_object", "json_schema")


class Invalid(ValueError):  # noqa: N818 - it describes the answer, not an error of the program
    """An answer that does not meet the requirements; the message explains why, for the model."""


def format_problem(response_format: object) -> tuple[str, str] | None:
    """Return what is invalid in a response format, and a hint.

    Unknown types are accepted, since servers have types of their own, unless one looks like a typo of a type
    that is checked.
    """
    if not isinstance(response_format, dict) or not isinstance(response_format.get("type"), str):
        return (
            "expected keys and values with a `type`",
            "write `{type: json_object}` or `{type: json_schema, …}`",
        )
    if response_format["type"] != "json_schema":
        return _type_problem(response_format["type"])
    schema = schema_of(response_format)
    if not isinstance(schema, dict):
        return (
            "`json_schema.schema` is missing",
            "write `json_schema: {name: answer, schema: {type: object, …}}`",
        )
    if find_spec("jsonschema") is None:
        return "needs jsonschema to check the answers", "pip install 'promptjobs[schema]'"
    return _schema_problem(schema)


def _type_problem(name: str) -> tuple[str, str] | None:
    close = () if name in _TYPES else get_close_matches(name[:100].lower(), _TYPES, n=1)
    return ("answers of this type are not checked", f"did you mean `{close[0]}`?") if close else None


class Demand:
    """The requirements of one response format. ``schema`` is ``None`` if any object is valid."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def value_of(self, text: str) -> Any:
        """Return the value of an answer. Raises ``Invalid`` if it has none, or an invalid one."""
        value = decoded(text)
        if problems := self._check(value):
            raise Invalid("; ".join(problems))
        return value

    @cached_property
    def _check(self) -> Check:
        return _is_object if self.schema is None else _schema_check(self.schema)


def demand_of(response_format: Mapping[str, Any]) -> Demand | None:
    """Return the requirements of the format; ``None`` if it has none that are checked here."""
    return _demand(msgspec.json.encode(response_format, order="sorted"))


def parsed(text: str, response_format: Mapping[str, Any]) -> Any:
    """Return the value of an answer, or ``None`` if the format requires none. Raises ``Invalid``."""
    demand = demand_of(response_format)
    return None if demand is None else demand.value_of(text)


def decoded(text: str) -> Any:
    """Decode the JSON value of an answer. Raises ``Invalid``."""
    try:
        value = msgspec.json.decode(_unwrapped(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"it is not JSON: {error}") from None
    if text.count("[") + text.count("{") > _MAX_DEPTH and _is_deep(value):
        raise Invalid(f"it is nested more than {_MAX_DEPTH} levels deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        level = [part for outer in level for part in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _unwrapped(text: str) -> str:
    """Return the content of a code fence, which models often add.

    Only the two ends are examined: an answer may be endless white space.
    """
    head, line_end, rest = text.strip().removeprefix(_FENCE).partition("\n")
    is_fenced = text.lstrip().startswith(_FENCE) and head.strip().lower() in ("", "json")
    return rest.removesuffix(_FENCE) if is_fenced and line_end and rest.endswith(_FENCE) else text


@lru_cache(maxsize=256)
def _demand(encoded: bytes) -> Demand | None:
    """Cached, since all answers of a job share a few formats."""
    response_format = msgspec.json.decode(encoded)
    if response_format.get("type") == "json_object":
        return Demand(None)
    if response_format.get("type") != "json_schema":
        return None
    return Demand(schema_of(response_format))


def _schema_check(schema: Any) -> Check:
    referencing = import_module("referencing")
    validator = _validator_class(schema)(schema, registry=referencing.Registry())

    def check(value: Any) -> list[str]:
        try:
            return [_in_words(error) for error in islice(validator.iter_errors(value), _MAX_PROBLEMS)]
        except RecursionError:
            return ["it is nested too deeply"]
        except referencing.exceptions.Unresolvable as error:  # such as a missing anchor
            return [f"a reference in the schema has no target: {error}"[:_MAX_PROBLEM_LENGTH]]

    return check


def _is_object(value: Any) -> list[str]:
    return [] if isinstance(value, dict) else ["it is not a JSON object"]


def _in_words(error: Any) -> str:
    """Return a message of jsonschema with the path; null, true and false in it are written as in JSON."""
    message = str(error.message)
    for value in (error.instance, error.validator_value):
        written = repr(value)
        if message.startswith(written):
            message = _shown(value) + message.removeprefix(written)
        elif message.endswith(written):
            message = message.removesuffix(written) + _shown(value)
    return f"{error.json_path}: {message}"[:_MAX_PROBLEM_LENGTH]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_shown(part)}' for key, part in value.items())}}}"
    return _WORDS[value] if value is None or isinstance(value, bool) else repr(value)


def schema_of(response_format: Mapping[str, Any]) -> Any:
    """Return the JSON Schema of a response format; ``None`` if it has none."""
    wrapper = response_format.get("json_schema")
    return wrapper.get("schema") if isinstance(wrapper, dict) else None


def _validator_class(schema: Any) -> Any:
    validators = import_module("jsonschema.validators")
    return validators.validator_for(schema, default=validators.Draft202012Validator)


def _schema_problem(schema: dict[str, Any]) -> tuple[str, str] | None:
    jsonschema = import_module("jsonschema")
    validator = _validator_class(schema)
    patterns = jsonschema.FormatChecker(formats=["regex"])
    error = next(iter(validator(validator.META_SCHEMA, format_checker=patterns).iter_errors(schema)), None)
    if error is not None:
        return f"not a JSON Schema: {_in_words(error)}", ""
    for reference in _references(schema):
        if not reference.startswith("#"):
            what = f"`$ref` points outside the schema: {reference[:80]!r}"
            return what, "nothing is fetched; move it to `$defs`"
        if reference.startswith("#/") and target_of(schema, reference) is None:
            return f"`$ref` has no target: {reference[:80]!r}", ""
    return None


def _references(value: Any) -> Iterator[str]:
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _references(part)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]


def target_of(schema: Any, reference: str) -> tuple[Any] | None:
    """Return the part of the schema that a reference (``#/$defs/…``) names; ``None`` if there is none."""
    part = schema
    for step in reference.split("/")[1:]:
        found = _step_into(part, step)
        if found is None:
            return None
        (part,) = found
    return (part,)


def _step_into(schema: Any, step: str) -> tuple[Any] | None:
    """Return the target of one step of a JSON pointer (RFC 6901) in a URL; ``None`` if there is none."""
    name = unquote(step).replace("~1", "/").replace("~0", "~")
    if isinstance(schema, list) and name.isdecimal() and len(name) < 10 and int(name) < len(schema):
        return (schema[int(name)],)
    if isinstance(schema, dict) and name in schema:
        return (schema[name],)
    return None
