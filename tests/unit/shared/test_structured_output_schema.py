"""What a response format demands of an answer, and which formats are none."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.structured_output import Invalid, format_problem, parsed

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"$ref": "#/$defs/year"}},
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"year": {"type": "integer", "minimum": 0}},
}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}}


ANSWERS: list[tuple[str, dict[str, Any], object]] = [
    ('{"name": "Ada"}', schema(PERSON), {"name": "Ada"}),
    (' {"name": "Ada", "born": 1815}\n', schema(PERSON), {"name": "Ada", "born": 1815}),
    ('```json\n{"name": "Ada"}\n```', schema(PERSON), {"name": "Ada"}),
    ('```\n{"name": "Ada"}\n```\n', schema(PERSON), {"name": "Ada"}),
    ('\n```JSON \r\n{"name": "Ada"}\r\n```  \n\n', schema(PERSON), {"name": "Ada"}),
    ("[]", schema({"type": "array"}), []),
    ("{}", {"type": "json_object"}, {}),
    ("anything", {"type": "text"}, None),
    ("anything", {"type": "grammar", "grammar": "…"}, None),
]


@pytest.mark.parametrize(("text", "response_format", "value"), ANSWERS)
def test_an_answer_that_fits_is_parsed(text: str, response_format: dict[str, Any], value: object) -> None:
    assert parsed(text, response_format) == value


@pytest.mark.parametrize("end", ["", "x", "```", "\n```\nThat is it."])
def test_white_space_without_end_takes_no_time(end: str) -> None:
    began = time.process_time()
    with pytest.raises(Invalid):
        parsed("```json\n{" + " \n" * 500_000 + end, {"type": "json_object"})
    assert time.process_time() - began < 2


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ('{"born": 1815}', schema(PERSON), "$: 'name' is a required property"),
    ('{"name": "Ada", "born": "1815"}', schema(PERSON), "$.born: '1815' is not of type 'integer'"),
    (
        '{"name": 1, "born": -1}',
        schema(PERSON),
        "$.born: -1 is less than the minimum of 0; $.name: 1 is not of",
    ),
    ("Sure! Here it is: {}", schema(PERSON), "it is not JSON: JSON is malformed"),
    ('{"name": "Ad', schema(PERSON), "it is not JSON: Input data was truncated"),
    ("", {"type": "json_object"}, "it is not JSON: Input data was truncated"),
    ("[1]", {"type": "json_object"}, "it is not a JSON object"),
    ("NaN", schema({}), "it is not JSON"),
    ("[" * 100_000, schema({}), "it is not JSON"),
    ("null", schema({"type": "string"}), "$: null is not of type 'string'"),
    (
        '{"a": [null, true, "None"]}',
        schema({"properties": {"a": {"type": "string"}}}),
        "$.a: [null, true, 'None'] is not of type 'string'",
    ),
    ('{"b": null}', schema({"maxProperties": 0}), "$: {'b': null} "),
    ("false", schema({"enum": [None, "None", 1]}), "$: false is not one of [null, 'None', 1]"),
    ('"None"', schema({"enum": [None, True]}), "$: 'None' is not one of [null, true]"),
    ("1", schema({"const": None}), "$: null was expected"),
    ('"x"', schema({"$ref": "#nowhere"}), "a reference in the schema has no target"),
]


@pytest.mark.parametrize(("text", "response_format", "why"), WRONG, ids=[case[2][:40] for case in WRONG])
def test_an_invalid_answer_is_sent_again_with_the_reason(
    text: str, response_format: dict[str, Any], why: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(text, response_format)
    assert str(caught.value).startswith(why)
    assert len(str(caught.value)) < 1000


FORMATS: list[tuple[object, str | None]] = [
    (schema(PERSON), None),
    ({"type": "json_object"}, None),
    ({"type": "structural_tag"}, None),
    ({"type": "jsonschema"}, "answers of this type are not checked"),
    ({"type": "JSON-Schema"}, "answers of this type are not checked"),
    ({"type": "text"}, None),
    ("json", "expected keys and values with a `type`"),
    ({}, "expected keys and values with a `type`"),
    ({"type": "json_schema"}, "`json_schema.schema` is missing"),
    ({"type": "json_schema", "json_schema": {"type": "object"}}, "`json_schema.schema` is missing"),
    (schema({"type": "strin"}), "not a JSON Schema: $.type: 'strin' is not valid under any"),
    (schema({"type": [None]}), "not a JSON Schema: $.type: [null] is not valid under any"),
    (schema({"pattern": "("}), "not a JSON Schema: $.pattern: '(' is not a 'regex'"),
    (
        schema({"$ref": "http://127.0.0.1/s.json"}),
        "`$ref` points outside the schema: 'http://127.0.0.1/s.json'",
    ),
    (schema({"items": {"$ref": "other.json"}}), "`$ref` points outside the schema: 'other.json'"),
    (schema({"$ref": "#/$defs/none"}), "`$ref` has no target: '#/$defs/none'"),
    (schema({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {}}}), None),
    (schema({"properties": {"$ref": {"type": "string"}}}), None),
]


@pytest.mark.parametrize(("response_format", "problem"), FORMATS)
def test_a_format_is_judged_before_anything_is_sent(response_format: object, problem: str | None) -> None:
    said = format_problem(response_format)
    assert (said is None) == (problem is None)
    assert said is None or said[0].startswith(problem or "")


def test_without_jsonschema_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.structured_output.find_spec", lambda _: None)
    assert format_problem({"type": "json_object"}) is None
    assert format_problem(schema(PERSON)) == (
        "needs jsonschema to check the answers",
        "pip install 'promptjobs[schema]'",
    )


def test_no_reference_is_ever_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where one got past the check."""

    def no_network(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(Invalid, match="has no target"):
        parsed("{}", schema({"$ref": "http://127.0.0.1:9/schema.json"}))


@given(st.text())
def test_any_text_is_a_value_or_invalid(text: str) -> None:
    try:
        value = parsed(text, {"type": "json_object"})
    except Invalid as error:
        value = error
    assert isinstance(value, dict | Invalid)
