"""The table of failure codes: it is complete, has no unused codes, and is correct."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch import failure_codes
from batch.failure_codes import (
    ANSWERS,
    FAILURE_CODES,
    LOCAL,
    NETWORK,
    OTHER,
    STATUSES,
    failure_code,
)
from batch.failure_traits import Evidence, Retried
from batch.records import Failure
from batch.scheduling.adaptive_limiter import shows_overload
from batch.scheduling.fault_attribution import Kind, is_proof, kind_of
from batch.wire.error_classification import from_status
from tests.support.fault_matrix import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "batch"
MAKERS = {"Failure", "ResultError", "replace", "failure", "cut", "_failure", "_failed", "_error", "_ended"}
"""Functions that are called with a code: as ``code``, or as one of the first two arguments."""

PLACES = {
    ("wire/error_classification.py", "_status_code"),
    ("wire/error_classification.py", "_NAMED"),
    ("providers/transport_errors.py", "translate"),
    ("providers/transport_errors.py", "_proxy"),
    ("providers/timeouts.py", "expired"),
    ("results/reclassification.py", "_CODES"),
}
"""Functions that return a code, alone or before a message, and mappings to codes."""


def words(node: ast.expr) -> Iterator[str]:
    """Return the possible codes of an expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if re.fullmatch(r"[a-z][a-z0-9_]+", node.value):
            yield node.value
    elif isinstance(node, ast.Name) and node.id.isupper():
        value = getattr(failure_codes, node.id, None)
        if isinstance(value, str):
            yield value
    elif isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)
    elif isinstance(node, ast.Tuple) and node.elts:
        yield from words(node.elts[0])


def called_with(node: ast.Call) -> Iterator[str]:
    """Return the codes with which a failure is constructed."""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name in MAKERS:
        positional = [] if name == "replace" else node.args[:2]  # strings have a method of that name
        for argument in [*positional, *(each.value for each in node.keywords if each.arg == "code")]:
            yield from words(argument)


def in_place(node: ast.AST) -> Iterator[str]:
    """Return the codes that a function returns or a mapping contains."""
    for each in ast.walk(node):
        if isinstance(each, ast.Return) and each.value is not None:
            yield from words(each.value)
        elif isinstance(each, ast.Dict):
            for value in each.values:
                yield from words(value)


def name_of(node: ast.AST) -> str:
    """The name that a function or an assignment defines."""
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", "")
    return getattr(node, "name", "")


def in_the_source() -> set[str]:
    """Return the literal codes with which the package constructs failures."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        if where.startswith("testing/"):  # its failures are examples, which no run produces
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.update(called_with(node))
            elif (where, name_of(node)) in PLACES:
                found.update(in_place(node))
    return found


def by_status() -> set[str]:
    """Return the codes that follow from a status alone."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    codes = {from_status(status, {}, b"", now).code for status in (204, *range(300, 600))}
    return {failure_code(code).name for code in codes}


def test_the_table_has_every_code_that_is_produced_and_no_other() -> None:
    assert in_the_source() | by_status() == set(FAILURE_CODES)


def test_every_code_is_in_one_group() -> None:
    names = [code.name for group in (NETWORK, STATUSES, ANSWERS, LOCAL) for code in group]
    assert sorted(names) == sorted(FAILURE_CODES)


def test_the_page_of_error_codes_has_one_line_for_each() -> None:
    page = (ROOT / "docs" / "error_codes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE) == list(FAILURE_CODES)


ELSEWHERE = {OTHER.name, "total_timeout", "bad_row", "input_changed", "local_model", "worker_lost"}
"""Codes that no reply of a server leads to by itself: other tests have them."""


def test_the_page_of_faults_names_every_code_and_plays_no_other() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    assert "http_500" in named
    assert set(FAILURE_CODES) - named == ELSEWHERE
    played = {row.code for row in ROWS if row.code}
    assert {code for code in played if not code.startswith("http_")} <= set(FAILURE_CODES)


def test_a_code_without_a_line_is_a_server_error() -> None:
    assert failure_code("http_502") is OTHER
    assert failure_code("http_429").retried is Retried.UNCHARGED


RETRIED: list[tuple[Retried, set[str]]] = [
    (Retried.AT_ONCE, {"worker_lost"}),
    (Retried.ONCE, {"protocol", "bad_event", "encoding", "internal_error"}),
    (Retried.ONCE_IF_FINISHED, {"empty"}),
    (Retried.UNCHARGED, {"fd_limit", "http_429"}),
    (Retried.PARK, {"tls", "proxy_auth", "auth", "quota", "local_model"}),
    (Retried.NOT_SENT, {"bad_row", "input_changed"}),
    (
        Retried.NEVER,
        {
            "payment_required",
            "forbidden",
            "bad_request",
            "redirect",
            "too_large",
            "empty_length",
            "length",
            "filtered",
            "unknown_finish",
            "unencodable",
        },
    ),
]


@pytest.mark.parametrize(("retried", "names"), RETRIED, ids=lambda each: getattr(each, "name", ""))
def test_how_codes_are_retried(retried: Retried, names: set[str]) -> None:
    assert {name for name, code in FAILURE_CODES.items() if code.retried is retried} == names


KINDS: dict[str, Kind] = {
    "connect": Kind.UNREACHABLE,
    "fd_limit": Kind.UNREACHABLE,
    "first_byte_timeout": Kind.TROUBLE,
    "tls": Kind.PARK,
    "proxy_auth": Kind.PARK,
    "auth": Kind.PARK,
    "quota": Kind.PARK,
    "local_model": Kind.PARK,
}
"""The others say nothing of the endpoint by their code alone."""


@pytest.mark.parametrize("name", FAILURE_CODES)
def test_what_a_code_without_a_status_shows_about_the_endpoint(name: str) -> None:
    assert kind_of(Failure(name, "")) is KINDS.get(name, Kind.OWN)


def test_which_codes_are_whole_answers_that_prove_that_an_endpoint_works() -> None:
    proofs = {name for name in FAILURE_CODES if is_proof(Failure(name, ""))}
    assert proofs == {"length", "invalid_output", "filtered", "empty_length", "unknown_finish"}
    unwanted = {name for name, code in FAILURE_CODES.items() if code.evidence is Evidence.UNWANTED_ANSWER}
    assert unwanted == {"length", "invalid_output"}


@pytest.mark.parametrize("status", [None, 503])
def test_which_codes_are_congestion(status: int | None) -> None:
    found = {name for name in FAILURE_CODES if shows_overload(Failure(name, "", http_status=status))}
    if status is None:
        assert found == {"first_byte_timeout", "idle_timeout", "total_timeout"}
    else:
        assert found == set(FAILURE_CODES) - {"quota", "worker_lost"}


def test_which_codes_are_never_billed_and_which_are_of_another_kind_of_server() -> None:
    free = {name for name, code in FAILURE_CODES.items() if not code.is_billable}
    assert free == {"connect", "tls", "proxy_auth", "fd_limit", "bad_row", "input_changed"}
    assert {name for name, code in FAILURE_CODES.items() if code.is_foreign} == {
        "redirect",
        "not_sse",
        "protocol",
    }
