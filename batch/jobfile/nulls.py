"""Detect null and NaN in templates before they become the words ``None`` and ``nan``."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateRuntimeError
from jinja2.filters import make_attrgetter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEXT_FILTERS = (
    "capitalize",
    "center",
    "e",
    "escape",
    "forceescape",
    "indent",
    "lower",
    "replace",
    "string",
    "striptags",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
)
"""Jinja's filters that convert their input to text."""


class UnprintableError(TemplateRuntimeError):
    """A value that is not text, such as an object's memory address. ``hint`` is the fix."""

    def __init__(self, what: str, hint: str) -> None:
        self.hint = hint
        super().__init__(what)


class EmptyValueError(UnprintableError):
    """Null or NaN where text is printed. ``column`` names the variable, if one holds it."""

    def __init__(self, column: str) -> None:
        self.column = column
        name = column.strip("`") or "x"
        hint = f"write `{{{{ {name} or '' }}}}`, or set `inputs.on_empty`"
        super().__init__(f"the prompt prints {column or 'a value'}, which is null or NaN", hint)


class Unreadable:
    """An input value that cannot be read. ``what`` describes it; printing it is an error."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __str__(self) -> str:
        raise UnprintableError(self.what, "leave that column out")


def is_null(value: object) -> bool:
    """Return whether a value is null or NaN."""
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def guarded(filters: Mapping[str, Any], *, sends_empty: bool) -> dict[str, Any]:
    """Return the filters that convert to text, wrapped so that they detect nulls first."""
    result = {name: _guard(filters[name], sends_empty=sends_empty) for name in _TEXT_FILTERS}
    result["join"] = _join_guard(filters["join"], sends_empty=sends_empty)
    result["default"] = result["d"] = _default_guard(filters["default"])
    result["format"] = _format_guard(filters["format"], sends_empty=sends_empty)
    return result


def _checked(value: Any, *, sends_empty: bool) -> Any:
    if not is_null(value):
        return value
    if sends_empty:
        return ""
    raise EmptyValueError("")


def _guard(function: Callable[..., Any], *, sends_empty: bool) -> Callable[..., Any]:
    at = 1 if hasattr(function, "jinja_pass_arg") else 0  # such a filter takes the context first

    @wraps(function)
    def guard(*args: Any, **options: Any) -> Any:
        before, rest = args[:at], args[at + 1 :]
        return function(*before, _checked(args[at], sends_empty=sends_empty), *rest, **options)

    return guard


def _join_guard(function: Callable[..., Any], *, sends_empty: bool) -> Callable[..., Any]:
    """Guard ``join``, which takes many values, or an attribute of each."""

    @wraps(function)
    def guard(context: Any, values: Any, d: str = "", attribute: str | int | None = None) -> Any:
        if isinstance(values, str) and attribute is None:
            return function(context, values, d)
        items = list(_checked(values, sends_empty=sends_empty))
        if attribute is not None:
            items = list(map(make_attrgetter(context.environment, attribute), items))
        return function(context, [_checked(item, sends_empty=sends_empty) for item in items], d)

    return guard


def _default_guard(function: Callable[..., Any]) -> Callable[..., Any]:
    """Guard ``default``, which replaces null and NaN as well."""

    @wraps(function)
    def guard(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
        return default_value if is_null(value) else function(value, default_value, boolean)

    return guard


def _format_guard(function: Callable[..., Any], *, sends_empty: bool) -> Callable[..., Any]:
    """Guard ``format``, which inserts further values into the first."""

    @wraps(function)
    def guard(pattern: str, *args: Any, **options: Any) -> Any:
        args = tuple(_checked(value, sends_empty=sends_empty) for value in args)
        options = {key: _checked(value, sends_empty=sends_empty) for key, value in options.items()}
        return function(pattern, *args, **options)

    return guard
