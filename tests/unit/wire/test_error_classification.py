"""Classification of errors by status and body, never by the wording of a message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from batch.wire.error_classification import from_event, from_status
from tests.support.wire_support import FUZZ

if TYPE_CHECKING:
    from batch.records import Failure

NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)


def refused(status: int, body: Any = b"", **headers: str) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_status(status, CIMultiDict(named), raw, NOW)


@pytest.mark.parametrize(
    ("code", "statuses"),
    [
        ("empty", [204]),
        ("redirect", [300, 301, 302, 303, 304, 307, 308]),
        (
            "bad_request",
            [400, 404, 405, 406, 410, 411, 412, 413, 414, 415, 417, 418, 421, 422, 424, 431, 451],
        ),
        ("auth", [401]),
        ("payment_required", [402]),
        ("forbidden", [403]),
        ("proxy_auth", [407]),
    ],
)
def test_statuses_with_a_name(code: str, statuses: list[int]) -> None:
    for status in statuses:
        assert (refused(status).code, refused(status).http_status) == (code, status)


@pytest.mark.parametrize(
    "status",
    [408, 409, 425, 429, 500, 501, 502, 503, 504, 505, 507, 520, 521, 522, 523, 524, 529, 530, 599, 999],
)
def test_temporary_statuses_keep_their_number(status: int) -> None:
    assert refused(status).code == f"http_{status}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "insufficient_quota", "message": "x"}, "quota"),
        ({"type": "insufficient_quota"}, "quota"),
        ({"code": "billing_hard_limit_reached"}, "quota"),
        ({"code": "rate_limit_exceeded", "message": "You exceeded your current quota"}, "http_429"),
        ({"message": "insufficient_quota"}, "http_429"),
        ("insufficient_quota", "http_429"),
        (None, "http_429"),
    ],
    ids=str,
)
def test_a_used_up_quota_is_recognized_by_its_code_and_not_by_its_message(error: Any, code: str) -> None:
    assert refused(429, {"error": error}).code == code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no such model"}}, "no such model"),
        ({"error": "no such model"}, "no such model"),
        ({"message": "no such model"}, "no such model"),
        ({"detail": "no such model"}, "no such model"),
        ({"error": {"detail": "no such model"}}, "no such model"),
        ([{"error": {"message": "no such model"}}], "no such model"),
        ({"detail": [{"loc": ["body"], "msg": "x"}]}, '[{"loc": ["body"], "msg": "x"}]'),
        (b"no such model\n", "no such model"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"null", "null"),
    ],
    ids=str,
)
def test_the_message_is_the_server_s(body: Any, message: str) -> None:
    assert refused(400, body).message == f"400 Bad Request: {message}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Sorry",
        b'{"error": {"message": "cut in the mid',
        {},
        [],
        {"error": {}},
        b"400",
        b"400: Bad Request",
        b"400 Bad Request\n",
        b"HTTP 400: Bad Request",
        b"Bad Request (400)",
        {"detail": "Bad Request"},
        {"error": "bad request."},
    ],
    ids=str,
)
def test_a_body_that_says_no_more_than_the_status_is_not_repeated(body: Any) -> None:
    assert refused(400, body).message == "400 Bad Request"


def test_a_status_without_a_name_is_its_number() -> None:
    assert refused(599).message == "599"
    assert refused(599, b"oops").message == "599: oops"


@pytest.mark.parametrize(
    "body", [b"x" * 10**5, {"error": {"message": "x" * 10**5}}, {"error": ["x"] * 10**5}]
)
def test_a_long_message_is_cut(body: Any) -> None:
    message = refused(400, body).message
    assert len(message) == len("400 Bad Request: ") + 501
    assert message.endswith("…")


@pytest.mark.parametrize("depth", [500, 900, 990, 995, 100_000])
def test_a_deeply_nested_error_does_no_harm(depth: int) -> None:
    body = b'{"error": ' + b"[" * depth + b"]" * depth + b"}"
    assert refused(400, body).code == "bad_request"


def test_half_a_surrogate_pair_in_a_message_can_be_encoded() -> None:
    assert refused(400, b'{"error": "a\\ud83db"}').message == "400 Bad Request: a\ufffdb"


def test_the_failure_has_the_wait_of_the_headers() -> None:
    failure = refused(503, retry_after="7", x_should_retry="false")
    assert (failure.retry_after, failure.should_retry) == (7.0, False)
    assert (refused(503).retry_after, refused(503).should_retry) == (None, None)


@pytest.mark.parametrize(
    ("error", "overloaded"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, True),
        ({"code": "rate_limit_exceeded"}, True),
        ({"code": 429}, True),
        ({"code": 503, "status": "UNAVAILABLE"}, True),
        ({"type": "server_error", "message": "overloaded"}, False),
        ({"code": "context_length_exceeded"}, False),
        ("overloaded_error", False),
    ],
    ids=str,
)
def test_an_overload_inside_a_stream_is_recognized_by_its_code_and_not_by_its_message(
    error: Any, overloaded: bool
) -> None:
    assert from_event(error).overloaded is overloaded


@FUZZ
@given(st.integers(100, 999), st.binary(max_size=60))
def test_fuzz_any_status_and_body_is_a_failure(status: int, body: bytes) -> None:
    failure = refused(status, body)
    assert failure.message.encode()
    assert failure.code


errors = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "type", "status", "message", "detail"]), inner)
    ),
)


@FUZZ
@given(errors)
def test_fuzz_any_error_in_a_stream_is_a_failure(error: Any) -> None:
    failure = from_event(error)
    assert failure.code == "api_error"
    assert failure.message.encode()
