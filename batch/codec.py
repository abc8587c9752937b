"""Encode results as lines of the output file, and decode them. No other module does this.

A line is one JSON object in UTF-8 that ends in ``\\n``. Its keys are in the order of ``records.Result``, with
``null`` rather than absent. No character inside it is a line end for any reader: U+2028, U+2029 and U+0085
are escaped. Unpaired surrogates, which UTF-8 cannot express, become U+FFFD.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from batch.errors import UnencodableError, one_line
from batch.records import SCHEMA_VERSION, Known, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))

_VERSION = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*([0-9]{1,9})\s*[,}]')


class _Version(msgspec.Struct):
    schema_version: int | None = None


MAX_BRACKETS = 400
"""A line with fewer opening brackets than this cannot be nested too deeply to be decoded."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Result)
_versions = msgspec.json.Decoder(_Version)


def encode_result(result: Result) -> bytes:
    """Encode one result as one line of the output file, including ``\\n``.

    Never fails on text. Raises ``TypeError`` if ``parsed``, ``tool_calls`` or ``metadata`` hold something
    that JSON cannot represent.
    """
    return encode_line(result)


def encode_results(results: Sequence[Result]) -> list[bytes]:
    """Encode one line for each result. Raises ``UnencodableError`` with the results that fail."""
    try:
        return [_readable_line(result) for result in results]
    except Exception:  # noqa: BLE001 - the failing results are determined below
        raise UnencodableError(dict(_encoding_errors(results))) from None


def _encoding_errors(results: Sequence[Result]) -> Iterator[tuple[int, str]]:
    for position, result in enumerate(results):
        try:
            _readable_line(result)
        except Exception as error:  # noqa: BLE001 - the encoder may run foreign code, which may raise anything
            yield position, f"the result cannot be written as JSON: {one_line(error)}"


def _readable_line(result: Result) -> bytes:
    """Encode a result, and check that it can be decoded: deep nesting can be written but not read."""
    line = encode_result(result)
    if len(line) > 2 * MAX_BRACKETS and line.count(b"{") + line.count(b"[") > MAX_BRACKETS:
        decode_result(line)
    return line


def encode_line(value: Any) -> bytes:
    """Encode the value as one line of JSON. Raises what ``encode_json`` raises."""
    line = encode_json(value)
    if not line.isascii():
        for character, escape in _LINE_ENDS:
            if character[0] in line:  # a single byte is found faster than several
                line = line.replace(character, escape)
    return line + b"\n"


def encode_json(value: Any) -> bytes:
    """Encode the value as JSON in UTF-8. Never fails on text; raises ``TypeError`` for other types."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_well_formed_value(msgspec.to_builtins(value)))


def decode_result(line: bytes) -> Result:
    """Decode the result of a line; surrounding white space is ignored.

    Raises ``ValueError`` (mostly its subclass ``msgspec.DecodeError``) if the line is not a result of this
    schema version: truncated, malformed, not UTF-8, nested too deeply, or with a field of an invalid type.
    """
    try:
        result = _decoder.decode(line)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
    if result.schema_version != SCHEMA_VERSION:
        raise msgspec.ValidationError(f"schema version {result.schema_version} is not known")
    return result


def newer_version(line: bytes) -> int | None:
    """Return the schema version of a line that a newer version of this program wrote, else ``None``.

    The line may be damaged: a line of this program begins with its version.
    """
    version = None
    with suppress(ValueError, RecursionError):
        version = _versions.decode(line).schema_version
    if version is None and (start := _VERSION.match(line)):
        version = int(start[1])
    return version if version is not None and version > SCHEMA_VERSION else None


def known(result: Result, *, restated: bool = False) -> Known:
    """Return what a line says about its request: everything that a later run needs to know.

    ``restated``: the status of the line differs from that of its finish reason.
    """
    error = result.error
    has_succeeded = result.status == "succeeded"
    if error is None:
        return Known(result.fingerprint, has_succeeded, restated=restated)
    return Known(result.fingerprint, has_succeeded, error.retryable, error.runs, error.code, restated)


def well_formed(text: str) -> str:
    """Return the text as a line holds it: surrogate pairs joined, unpaired surrogates replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _well_formed_value(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list | tuple):
        return [_well_formed_value(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed_value(key): _well_formed_value(item) for key, item in value.items()}
    return value
