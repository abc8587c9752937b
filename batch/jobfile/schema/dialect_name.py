"""The type of a dialect's name: any that is in the registry at validation time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import PydanticKnownError, core_schema

from batch.wire.dialects.registry import names

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class _InRegistry:
    """Like ``Literal``, but the names are not known when the module is imported."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_plain_validator_function(_checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": sorted(names()), "type": "string"}


def _checked(value: object) -> object:
    known = sorted(names())
    if value in known:
        return value
    *others, last = [f"'{name}'" for name in known]
    raise PydanticKnownError(
        "literal_error", {"expected": f"{', '.join(others)} or {last}" if others else last}
    )


DialectName = Annotated[str, _InRegistry()]
