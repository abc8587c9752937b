"""Answers whose check could take very long: how they are recognized, and their bounded check."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from batch.checking.checker import Checker
from batch.checking.cost import MAX_STEPS, is_cheap, is_plain, weight_of
from batch.checking.formats import format_problem
from batch.checking.messages import CheckRequest, CheckResult
from batch.checking.process import CheckingProcess
from batch.structured_output import Demand

pytestmark = pytest.mark.anyio

MAIL = {"type": "string", "pattern": "^([a-zA-Z0-9]+)*(@[a-z.]+)$"}
BACKTRACKS = '"' + "a" * 40 + '!"'
LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}


def doubling(levels: int) -> dict[str, Any]:
    """A schema that grows to twice its size at each level, at one place of an answer."""
    both = {f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/l0", "$defs": {**both, f"l{levels}": {"type": "string"}}}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}}


WEIGHTS: list[tuple[Any, float]] = [
    ({}, 1),
    (True, 1),
    ({"type": "object", "properties": {"n": {"type": "integer"}}}, 4),
    ({"enum": ["a", "b", ["c"]]}, 6),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 5),
    ({"properties": {"pattern": {}, "uniqueItems": {}, "$ref": {}}}, 4),
    ({"$ref": "#/$defs/a", "$defs": {"a": {}, "not used": {"pattern": "a"}}}, 12),
    ({"uniqueItems": False}, 1),
    ({"format": "email", "description": "text", "x-own": {"pattern": "a"}}, 1),
    ({"$id": "https://example.com/s", "$schema": "https://json-schema.org/draft/2020-12/schema"}, 1),
    (MAIL, math.inf),
    ({"items": [{"pattern": "a"}]}, math.inf),
    ({"properties": {"a": {"not": {"patternProperties": {"a": {}}}}}}, math.inf),
    ({"uniqueItems": True}, math.inf),
    ({"unevaluatedProperties": False}, math.inf),
    ({"$dynamicRef": "#a"}, math.inf),
    ({"$ref": "#"}, math.inf),
    ({"items": {"$ref": "#"}}, math.inf),
    (LOOP, math.inf),
    ({"$ref": "#anchor"}, math.inf),
    ({"$ref": "#/$defs/none"}, math.inf),
    ({"$ref": 7}, math.inf),
    ({"items": {"$id": "b", "$ref": "#/a"}}, math.inf),
    ({"$schema": "http://json-schema.org/draft-03/schema#", "extends": MAIL}, math.inf),
    ({"$schema": ["x"]}, math.inf),
    ({"properties": {"a": "no schema"}}, math.inf),
    ("no schema", math.inf),
]


@pytest.mark.parametrize(("value", "weight"), WEIGHTS)
def test_the_weight_of_a_schema(value: Any, weight: float) -> None:
    assert weight_of(value) == weight


def test_the_weight_of_an_exploding_schema_is_found_at_once() -> None:
    began = time.process_time()
    assert weight_of(doubling(200)) > 2**200
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"items": deep}
    assert weight_of(deep) == math.inf
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("value", "text", "cheap"),
    [
        (None, '{"a": 1}', True),
        (None, " " * 70_000, False),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2, 3]", True),
        ({"type": "array", "items": {"type": "integer"}}, f"[{'1,' * (MAX_STEPS // 4)}1]", False),
        ({"type": "string"}, '"' + "long " * 10_000 + '"', True),
        (MAIL, '"a"', False),
    ],
)
def test_only_a_small_answer_to_a_bounded_schema_is_checked_here(value: Any, text: str, cheap: bool) -> None:
    assert is_cheap(Demand(value), text) is cheap


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"type": "object"}, True),
        (MAIL, True),
        ({"pattern": "(?:a|b)+"}, True),
        ({"pattern": "(?i)[\\x00-\\U0010ffff]"}, False),
        ({"pattern": "a" * 201}, False),
        ({"patternProperties": {"(?i)a": {}}}, False),
        ({"items": {"allOf": [{"pattern": "(?i)a"}]}}, False),
        ({"allOf": [{}] * 1000}, False),
        (doubling(100), True),
    ],
)
def test_which_schemas_are_themselves_checked_here(value: Any, plain: bool) -> None:
    assert is_plain(value) is plain


def test_a_deep_schema_is_not_plain() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"items": deep}
    assert not is_plain(deep)


HOSTILE_FORMATS: list[tuple[Any, str | None]] = [
    ({"pattern": "(?i)" + "[\\x00-\\U0010ffff]" * 1000}, "checking this schema took longer than 5 s"),
    ({"pattern": "(?i)ok"}, None),
    ({"$schema": ["not", "a name"]}, "checking this schema failed: TypeError: unhashable type: 'list'"),
    ({"allOf": [{"type": "string"}] * 999 + [{"type": "strin"}]}, "not a JSON Schema: $.allOf[999].type: "),
    (LOOP, None),
    (doubling(60), None),
]


@pytest.mark.parametrize(("value", "problem"), HOSTILE_FORMATS)
def test_a_hostile_schema_is_judged_within_a_bound(value: Any, problem: str | None) -> None:
    said = format_problem(schema(value))
    assert (said or ("",))[0].startswith(problem or "")
    assert (said is None) == (problem is None)


def test_a_schema_nested_too_deeply_is_no_traceback() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"items": deep}
    assert format_problem(schema(deep)) == ("cannot be written as JSON", "")


FINE = CheckResult()
ANSWERS: list[tuple[Any, str, CheckResult]] = [
    (MAIL, '"a@b.c"', FINE),
    (MAIL, "1", CheckResult("$: 1 is not of type 'string'")),
    (MAIL, "NaN", CheckResult("it is not JSON: JSON is malformed: invalid character (byte 0)")),
    ({"uniqueItems": True}, "[1, 1]", CheckResult("$: [1, 1] has non-unique elements")),
    ({"uniqueItems": True}, "[" * 300 + "]" * 300, CheckResult("it is nested more than 200 levels deep")),
    ({"$schema": ["x"]}, "1", CheckResult("failed: TypeError: unhashable type: 'list'", is_judged=False)),
]


@pytest.mark.parametrize(("value", "text", "said"), ANSWERS)
async def test_the_validation_results_of_an_answer(value: Any, text: str, said: CheckResult) -> None:
    async with Checker() as checker:
        assert await checker.check(text, schema(value)) == said


SLOW = CheckResult("took longer than 5 s", is_judged=False)
ENDLESS: list[tuple[str, Any, str]] = [
    ("backtracking", MAIL, BACKTRACKS),
    ("names", {"patternProperties": {"^(a+)+$": {}}}, json.dumps({"a" * 40 + "!": 1})),
    ("unique", {"uniqueItems": True}, json.dumps([{"a": n} for n in range(20_000)])),
    ("branches", doubling(40), "1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("value", "text"), [case[1:] for case in ENDLESS], ids=[case[0] for case in ENDLESS])
async def test_an_endless_check_ends_and_the_next_one_runs(value: Any, text: str) -> None:
    async with Checker() as checker:
        assert await checker.check(text, schema(value)) == SLOW
        assert await checker.check('"a@b.c"', schema(MAIL)) == FINE


async def test_a_check_that_needs_too_much_memory_ends_and_the_next_one_runs() -> None:
    async with Checker() as checker:
        said = await checker.check("[" + "[]," * 10_000_000 + "1]", schema({"uniqueItems": True}))
        assert said == CheckResult("took more than 512 MiB of memory", is_judged=False)
        assert await checker.check('"a@b.c"', schema(MAIL)) == FINE


async def test_a_slow_check_does_not_block_the_loop_and_other_checks() -> None:
    served: list[str] = []
    three = anyio.Event()

    async def check(checker: Checker, name: str, text: str) -> None:
        await checker.check(text, schema(MAIL))
        served.append(name)
        if len(served) == 3:
            three.set()

    async with Checker() as checker, anyio.create_task_group() as tasks:
        tasks.start_soon(check, checker, "slow", BACKTRACKS)
        for name in ("one", "two", "three"):
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(check, checker, name, '"a@b.c"')
        with anyio.fail_after(60):
            await three.wait()
        if (os.cpu_count() or 1) > 1:
            assert "slow" not in served
        tasks.cancel_scope.cancel()


async def test_a_cancelled_check_leaves_no_process_and_no_thread() -> None:
    async with Checker() as checker:
        with anyio.move_on_after(1):
            await checker.check(BACKTRACKS, schema(MAIL))
        assert await checker.check('"a@b.c"', schema(MAIL)) == FINE
        (process,) = checker._processes
        assert process._process is not None
        number = process._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_killed_process_fails_one_check() -> None:
    with CheckingProcess() as process:
        task = CheckRequest("answer", json.dumps(schema(MAIL)).encode(), b'"a@b.c"')
        assert process.check(task) == FINE
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        process._process.wait()
        said = process.check(task)
        assert said == CheckResult("ended the checking process (exit code -9)", is_judged=False)
        assert process.check(task) == FINE


def test_the_process_gets_no_secret_and_no_modules_of_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "jsonschema.py").write_text("raise SystemExit('a foreign module was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret")
    with CheckingProcess() as process:
        assert process.check(CheckRequest("answer", json.dumps(schema(MAIL)).encode(), b'"a@b.c"')) == FINE
        assert process._process is not None
        environment = f"/proc/{process._process.pid}/environ"
        if os.path.exists(environment):
            with open(environment, "rb") as file:
                assert b"sk-a-secret" not in file.read()


def test_it_works_in_virtual_time() -> None:
    async def main() -> CheckResult:
        async with Checker() as checker:
            return await checker.check("1", schema(MAIL))

    said = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert said == CheckResult("$: 1 is not of type 'string'")
