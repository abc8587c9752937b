"""Result lines: one line each, readable by anybody's JSON, and back again without loss."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from batch.codec import decode_result, encode_json, encode_result, known
from batch.records import Known, Result, Usage
from tests.support.results_support import failed, hostile_results, hostile_text, succeeded


def is_plain(result: Result) -> bool:
    """Whether UTF-8 can express every text in the result as it stands."""
    try:
        return bool(msgspec.json.encode(result))
    except UnicodeEncodeError:
        return False


def mended(text: str) -> str:
    """The string as a reader of its UTF-16 form sees it: pairs joined, lone surrogates replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@given(hostile_results)
def test_a_line_is_one_line_for_every_reader(result: Result) -> None:
    line = encode_result(result)
    assert line.endswith(b"\n")
    assert len(line.decode("utf-8").splitlines()) == 1


@given(hostile_results)
def test_decoding_and_encoding_again_gives_the_same_bytes(result: Result) -> None:
    line = encode_result(result)
    assert encode_result(decode_result(line)) == line


@given(hostile_results.filter(is_plain))
def test_what_utf8_can_express_comes_back_equal(result: Result) -> None:
    assert decode_result(encode_result(result)) == result


@given(hostile_text)
def test_lone_surrogates_become_the_replacement_character(text: str) -> None:
    assert decode_result(encode_result(succeeded("a", text))).text == mended(text)


@given(hostile_text)
def test_text_is_encoded_wherever_a_value_holds_it(text: str) -> None:
    encoded = json.loads(encode_json({text: [text, (text, {"key": (text,)})]}))
    assert encoded == {mended(text): [mended(text), [mended(text), {"key": [mended(text)]}]]}


@given(hostile_results)
def test_any_json_reader_finds_every_key_in_order(result: Result) -> None:
    decoded: dict[str, Any] = json.loads(encode_result(result))
    assert list(decoded) == [name for name in Result.__struct_fields__ if name != "cost_source"]


def test_the_source_of_the_cost_is_printed_only_where_a_provider_states_it() -> None:
    line = encode_result(replace(succeeded("a"), cost=0.5, cost_source="provider"))
    assert line.endswith(b'"logprobs":null,"redacted":false,"cost_source":"provider"}\n')
    assert decode_result(line).cost_source == "provider"
    assert not decode_result(encode_result(succeeded("a"))).cost_source


def test_more_than_the_three_counts_stands_in_a_line_only_where_a_server_reports_it() -> None:
    usage = Usage(90, 20, 110, cached_tokens=64, reasoning_tokens=0)
    line = encode_result(replace(succeeded("a"), usage=usage))
    assert (
        b'"usage":{"prompt_tokens":90,"completion_tokens":20,"total_tokens":110,'
        b'"cached_tokens":64,"reasoning_tokens":0},"cost":null'
    ) in line
    assert decode_result(line).usage == usage
    foreign = line.replace(b'"cached_tokens":64', b'"cached_tokens":null')
    assert decode_result(foreign).usage == Usage(90, 20, 110, cached_tokens=None, reasoning_tokens=0)


def test_the_line_of_a_success() -> None:
    assert encode_result(succeeded("a.txt", "Tea\u2028or\x85coffee\u2029?", fingerprint="f" * 32)) == (
        b'{"schema_version":1,"id":"a.txt","fingerprint":"' + b"f" * 32 + b'","status":"succeeded",'
        b'"text":"Tea\\u2028or\\u0085coffee\\u2029?","verdict":"complete","finish_reason":"stop","error":null,'
        b'"partial_text":null,"reasoning":null,"tool_calls":null,"refusal":null,"parsed":null,'
        b'"model":"summary","served_by":null,'
        b'"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8},"cost":null,"attempts":1,'
        b'"timings":{"queued":0.0,"first_byte":0.1,"total":0.2},"completed_at":"2026-11-22T17:00:00Z",'
        b'"metadata":{},"messages":null,"target":null,"logprobs":null,"redacted":false}\n'
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (succeeded("a", fingerprint="f"), Known("f", succeeded=True)),
        (
            failed("a", runs=2, fingerprint="f"),
            Known("f", succeeded=False, retryable=True, runs=2, code="http_500"),
        ),
        (failed("a", retryable=False, fingerprint="f"), Known("f", succeeded=False, runs=1, code="http_500")),
    ],
)
def test_what_a_line_says_about_its_request(result: Result, expected: Known) -> None:
    assert known(decode_result(encode_result(result))) == expected


def test_every_partial_line_is_refused() -> None:
    line = encode_result(failed("ä", message="Tür"))
    for length in range(len(line) - 1):
        with pytest.raises(ValueError, match=r"."):
            decode_result(line[:length])


GOOD = encode_result(succeeded("a", "word"))
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b"[]\n", id="a list"),
        pytest.param(b'{"id": "a"}\n', id="another program's line"),
        pytest.param(GOOD.replace(b'"schema_version":1', b'"schema_version":2'), id="a later version"),
        pytest.param(GOOD.replace(b'"word"', b'"\xff"'), id="not UTF-8"),
        pytest.param(GOOD.replace(b'"word"', b'"\0\0\0\0"'), id="zeros of a power cut"),
        pytest.param(GOOD.replace(b'"parsed":null', b'"parsed":' + DEEP), id="nested too deeply"),
        pytest.param(GOOD.replace(b"succeeded", b"pending"), id="a status of another time"),
        pytest.param(GOOD[:-1] + GOOD, id="two results on one line"),
    ],
)
def test_what_is_not_a_result_is_a_value_error_and_nothing_else(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_result(line)


def test_what_json_cannot_say_is_refused_before_it_is_written() -> None:
    with pytest.raises(TypeError):
        encode_result(msgspec.structs.replace(succeeded("a"), metadata={"x": object()}))
