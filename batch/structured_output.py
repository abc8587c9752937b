"""Structured answers: what a ``response_format`` demands, and what of an answer does not meet it.

JSON Schema is judged by jsonschema (extra ``schema``), which is imported when a job first asks for it. A
``$ref`` may lead to places in the schema itself; none is ever fetched.
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
    """What is wrong with a value, in words."""

_MOST_COMPLAINTS = 3
_LONGEST_COMPLAINT = 200
_DEEPEST = 200
"""Levels of nesting of a value: results are encoded and read again, which has a limit, too."""

_FENCE = "```"
_TYPES = ("text", "json_object", "json_schema")


class Invalid(ValueError):  # noqa: N818 - it is an answer's fault, and nothing that went wrong here
    """An answer that is not what was demanded; the message says why, for the model to read."""


def format_complaint(response_format: object) -> tuple[str, str] | None:
    """What is wrong with a response format, and a hint.

    A type that is not known here is not judged, since servers have some of their own, unless it looks as if
    one of those was meant whose answers are checked.
    """
    if not isinstance(response_format, dict) or not isinstance(response_format.get("type"), str):
        return (
            "expected keys and values with a `type`",
            "write `{type: json_object}` or `{type: json_schema, …}`",
        )
    if response_format["type"] != "json_schema":
        return _type_complaint(response_format["type"])
    schema = _schema_of(response_format)
    if not isinstance(schema, dict):
        return (
            "`json_schema.schema` is missing",
            "write `json_schema: {name: answer, schema: {type: object, …}}`",
        )
    if find_spec("jsonschema") is None:
        return "needs jsonschema to check the answers", "pip install 'promptjobs[schema]'"
    return _schema_complaint(schema)


def _type_complaint(name: str) -> tuple[str, str] | None:
    close = () if name in _TYPES else get_close_matches(name[:100].lower(), _TYPES, n=1)
    return ("answers of this type are not checked", f"did you mean `{close[0]}`?") if close else None


class Demand:
    """What one response format demands of answers. ``schema`` is ``None`` where any object will do."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def value_of(self, text: str) -> Any:
        """The value that an answer holds. Raises ``Invalid`` where it holds none, or a wrong one."""
        value = decoded(text)
        if complaints := self._check(value):
            raise Invalid("; ".join(complaints))
        return value

    @cached_property
    def _check(self) -> Check:
        return _is_object if self.schema is None else _schema_check(self.schema)


def demand_of(response_format: Mapping[str, Any]) -> Demand | None:
    """What the format demands; ``None`` where it demands nothing that is checked here."""
    return _demand(msgspec.json.encode(response_format, order="sorted"))


def parsed(text: str, response_format: Mapping[str, Any]) -> Any:
    """The value that an answer holds, or ``None`` where the format demands none. Raises ``Invalid``."""
    demand = demand_of(response_format)
    return None if demand is None else demand.value_of(text)


def decoded(text: str) -> Any:
    """The value that an answer holds as JSON, whatever it should be. Raises ``Invalid``."""
    try:
        value = msgspec.json.decode(_unwrapped(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"it is not JSON: {error}") from None
    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise Invalid(f"it is nested more than {_DEEPEST} levels deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [part for outer in level for part in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _unwrapped(text: str) -> str:
    """What stands inside a fence, since models like to wrap what they were asked for.

    This looks at both ends and no further: an answer may be white space without end.
    """
    head, line_end, rest = text.strip().removeprefix(_FENCE).partition("\n")
    is_fenced = text.lstrip().startswith(_FENCE) and head.strip().lower() in ("", "json")
    return rest.removesuffix(_FENCE) if is_fenced and line_end and rest.endswith(_FENCE) else text


@lru_cache(maxsize=256)
def _demand(encoded: bytes) -> Demand | None:
    """Made once, since all answers of a job share a few."""
    response_format = msgspec.json.decode(encoded)
    if response_format.get("type") == "json_object":
        return Demand(None)
    if response_format.get("type") != "json_schema":
        return None
    return Demand(_schema_of(response_format))


def _schema_check(schema: Any) -> Check:
    referencing = import_module("referencing")
    validator = _validator_class(schema)(schema, registry=referencing.Registry())

    def check(value: Any) -> list[str]:
        try:
            return [_in_words(error) for error in islice(validator.iter_errors(value), _MOST_COMPLAINTS)]
        except RecursionError:
            return ["it is nested too deeply"]
        except referencing.exceptions.Unresolvable as error:  # such as an anchor that is not there
            return [f"the schema itself leads nowhere: {error}"[:_LONGEST_COMPLAINT]]

    return check


def _is_object(value: Any) -> list[str]:
    return [] if isinstance(value, dict) else ["it is no JSON object"]


def _in_words(error: Any) -> str:
    where = str(error.json_path)
    return f"{where}: {error.message}"[:_LONGEST_COMPLAINT]


def _schema_of(response_format: Mapping[str, Any]) -> Any:
    wrapper = response_format.get("json_schema")
    return wrapper.get("schema") if isinstance(wrapper, dict) else None


def _validator_class(schema: Any) -> Any:
    validators = import_module("jsonschema.validators")
    return validators.validator_for(schema, default=validators.Draft202012Validator)


def _schema_complaint(schema: dict[str, Any]) -> tuple[str, str] | None:
    jsonschema = import_module("jsonschema")
    validator = _validator_class(schema)
    patterns = jsonschema.FormatChecker(formats=["regex"])
    error = next(iter(validator(validator.META_SCHEMA, format_checker=patterns).iter_errors(schema)), None)
    if error is not None:
        return f"not a JSON Schema: {_in_words(error)}", ""
    for reference in _references(schema):
        if not reference.startswith("#"):
            what = f"`$ref` leads out of the schema, to {reference[:80]!r}"
            return what, "nothing is fetched; write it into `$defs`"
        if reference.startswith("#/") and not _leads_somewhere(schema, reference):
            return f"`$ref` leads nowhere: {reference[:80]!r}", ""
    return None


def _references(value: Any) -> Iterator[str]:
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _references(part)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]


def _leads_somewhere(schema: Any, pointer: str) -> bool:
    for step in pointer.split("/")[1:]:
        found = step_into(schema, step)
        if found is None:
            return False
        (schema,) = found
    return True


def step_into(schema: Any, step: str) -> tuple[Any] | None:
    """What one step of a JSON pointer in a URL leads to, RFC 6901; ``None`` where it leads nowhere."""
    name = unquote(step).replace("~1", "/").replace("~0", "~")
    if isinstance(schema, list) and name.isdecimal() and len(name) < 10 and int(name) < len(schema):
        return (schema[int(name)],)
    if isinstance(schema, dict) and name in schema:
        return (schema[name],)
    return None
