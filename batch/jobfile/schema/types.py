"""The types of values in a job file, with the forms in which they may be written, and their base class.

Includes durations as users write them.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from batch.jobfile.job import Failures

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_TEXT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|)\Z", re.ASCII)


def seconds(text: str) -> float:
    """Parse ``500ms``, ``90s``, ``5m``, ``2h`` or a number of seconds. Raises ``ValueError`` for others."""
    match = _DURATION_TEXT.match(text.strip())
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _UNITS[match[2]]


def _to_seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return seconds(value)
    except ValueError:
        raise PydanticCustomError("duration", "not a duration") from None


def _to_failures(value: object) -> object:
    if isinstance(value, str) and (match := _SHARE.fullmatch(value)):
        return Failures(share=float(match[1]) / 100)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Failures(number=value)
    raise PydanticCustomError("failures", "neither a number of failures nor a share")


def _to_currency(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[A-Z]{3}", value):
        raise PydanticCustomError("currency", "no currency")
    return value


def to_list(value: object) -> object:
    """Convert one text to a list of one."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1)]
# The JSON Schemas of values that may be written in a shorter way; see ``json_schema``.
_DURATION = r"[0-9]{1,9}(\.[0-9]{1,9})? ?(ms|s|m|h)?\s*$"
_Seconds = (
    Annotated[float, Field(ge=0)] | Annotated[str, Field(json_schema_extra={"pattern": rf"^\s*{_DURATION}"})]
)
_PositiveSeconds = (
    Annotated[float, Field(gt=0)]
    | Annotated[str, Field(json_schema_extra={"pattern": rf"^\s*(?=.*[1-9]){_DURATION}"})]
)
_Texts = Annotated[list[Text], Field(min_length=1)] | Text

Duration = Annotated[
    float, BeforeValidator(_to_seconds, json_schema_input_type=_Seconds), Field(ge=0, allow_inf_nan=False)
]
PositiveDuration = Annotated[
    float,
    BeforeValidator(_to_seconds, json_schema_input_type=_PositiveSeconds),
    Field(gt=0, allow_inf_nan=False),
]
Texts = Annotated[list[Text], BeforeValidator(to_list, json_schema_input_type=_Texts), Field(min_length=1)]
_SHARE = re.compile(r"(?=.*[1-9])([0-9]{1,2}(?:\.[0-9]{1,9})?|100) ?%", re.ASCII)
FailuresLimit = Annotated[
    Failures,
    BeforeValidator(
        _to_failures,
        json_schema_input_type=Annotated[int, Field(ge=1)]
        | Annotated[str, Field(json_schema_extra={"pattern": f"^{_SHARE.pattern}$"})],
    ),
]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Code = Annotated[str, Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})]
Currency = Annotated[str, BeforeValidator(_to_currency, json_schema_input_type=_Code)]
PerMinute = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Concurrency = Annotated[int, Field(ge=1, le=10_000)]


class Spec(BaseModel):
    """Base of all parts of a job file: frozen, and strict about names and types."""

    # `defer_build`: a part is built once, with the whole job file, and not when its module is imported.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
