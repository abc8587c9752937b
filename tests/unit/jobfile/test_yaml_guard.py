"""YAML as people mean it, and YAML as nobody should have to bear it."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.errors import Diagnostic, JobFileError
from batch.files import MAX_BYTES, decode
from batch.jobfile import JobFile, load, load_mapping
from batch.jobfile.syntax.tree import from_yaml
from tests.support.jobfile_support import HEAD, diagnostics_of, job, write
from tests.support.payloads import BOMBS

if TYPE_CHECKING:
    from collections.abc import Callable

TRAPS: list[tuple[str, object]] = [
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("y", "y"),
    ("014", "014"),
    ("00.5", "00.5"),
    ("1:30", "1:30"),
    ("2026-11-22", "2026-11-22"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("'1'", "1"),
    ("=", "="),
    ("!!str 7", "7"),
    ("true", True),
    ("False", False),
    ("tRUE", "tRUE"),
    ("null", None),
    ("~", None),
    ("", None),
    ("0", 0),
    ("-7", -7),
    ("0x1F", 31),
    ("0o17", 15),
    ("1e-3", 0.001),
    ("1.", 1.0),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("é", "é"),
]


@pytest.mark.parametrize(("written", "meant"), TRAPS)
def test_a_value_is_what_was_meant(written: str, meant: object) -> None:
    value = from_yaml(f"a: {written}\n", "f").value["a"]
    assert (value, type(value)) == (meant, type(meant))


@pytest.mark.parametrize(
    "written", [".inf", "-.INF", ".nan", "1e999", "9" * 41, "!!int abc", "!!int 014", "!!map x"]
)
def test_a_number_that_json_cannot_hold_is_an_error(written: str) -> None:
    assert diagnostics_of(lambda: from_yaml(f"a: {written}\n", "job.yaml"))[0].startswith("1:4: a: ")


def test_anchors_and_merges_save_writing(tmp_path: Path) -> None:
    text = """
        x-common: &common {temperature: 0, seed: 1}
        provider: openai
        base_url: http://h/v1
        model: m
        prompt: a
        params: {<<: *common, seed: 2}
        """
    assert job(tmp_path, text).models[0].params == {"temperature": 0, "seed": 2}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert from_yaml("'<<': {a: 1}\n", "f").value == {"<<": {"a": 1}}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_bounded_time(name: str) -> None:
    text, problem = BOMBS[name]
    began = time.process_time()
    said = diagnostics_of(lambda: from_yaml(text, "job.yaml"))
    assert time.process_time() - began < 5
    assert problem in said[-1]


def test_a_long_prompt_is_no_bomb(tmp_path: Path) -> None:
    text = HEAD + "prompt: |\n" + "  word\n" * 500_000
    assert len(job(tmp_path, text).prompts[0].messages[0].content) == 2_500_000


LARGE = {
    "a file of something else": "".join(f"key{n}: 1\n" for n in range(20_000)),
    "exclusions": f"matrix:\n  a: {[*range(4000)]}\n  exclude: {[{'a': n} for n in range(3999)]}\n",
    "inclusions": f"matrix:\n  a: {[*range(4000)]}\n  include: {[{'a': n, 'b': 1} for n in range(4000)]}\n",
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_large_takes_time_that_grows_with_it_alone(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: a\n" + LARGE[name].replace("'", ""))
    began = time.process_time()
    _is_job_or_diagnostics(lambda: load(path))
    assert time.process_time() - began < 5


def test_a_template_is_not_evaluated_while_it_is_checked(tmp_path: Path) -> None:
    began = time.process_time()
    text = HEAD + "prompt: \"{{ 9**9**9**9 }}{% if 9**9**9**9 %}{{ 'x'|center(99999999999) }}{% endif %}\"\n"
    assert isinstance(job(tmp_path, text), JobFile)
    assert time.process_time() - began < 5


NO_TEXT = [
    (b"name: a\nprompt: caf\xe9\n", "2:12: not UTF-8; save the file as UTF-8"),
    (b"name: a\rprompt: caf\xe9\r", "2:12: not UTF-8; save the file as UTF-8"),
    (b"name: a\nprompt: x\x00y\n", "2:10: the character U+0000 is not allowed in a job file"),
    ("name: a".encode("utf-16"), "is in UTF-16; save it as UTF-8"),
    ("name: a".encode("utf-32"), "is in UTF-32; save it as UTF-8"),
    (b"x" * (MAX_BYTES + 1), "is larger than 16 MiB; put rows into a JSONL file"),
]


@pytest.mark.parametrize(("data", "problem"), NO_TEXT, ids=[case[1] for case in NO_TEXT])
def test_a_file_that_is_no_text_is_refused_by_its_reason(data: bytes, problem: str) -> None:
    assert diagnostics_of(lambda: decode(data, "job.yaml")) == [problem]


def test_a_byte_order_mark_is_dropped() -> None:
    assert decode(b"\xef\xbb\xbfname: a", "f") == "name: a"


_WORDS = """
    provider model models prompt prompts messages system inputs files jsonl params headers retries timeouts
    output path role content user id openai http://h/v1 local llama {{ }} {% %} & * << | > - : [ ] { } ,
    ' " # ! 1 0.5 null ~ é ${A} ../ ** file://
"""
_FRAGMENTS = st.sampled_from(
    [*_WORDS.split(), "\n", "\n  ", "\t", ": ", "\x00", "\ud7ff", "\ufeff", "\u2028"]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(_FRAGMENTS, max_size=30).map("".join)))
def test_any_text_is_a_job_or_a_list_of_errors(text: str) -> None:
    _load_text(text.encode(errors="surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_are_a_job_or_a_list_of_errors(data: bytes) -> None:
    _load_text(data)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a.txt"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_FRAGMENTS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(_FRAGMENTS, _VALUES, max_size=8))
def test_any_mapping_is_a_job_or_a_list_of_errors(value: dict[str, Any]) -> None:
    with_head: dict[str, Any] = {"provider": "openai", "base_url": "http://h/v1", "model": "m", "prompt": "a"}
    _is_job_or_diagnostics(lambda: load_mapping(with_head | value, Path("/nonexistent")))


def _is_job_or_diagnostics(call: Callable[[], JobFile]) -> None:
    """Anything but a ``JobFileError`` with errors is a failure, as it stands."""
    try:
        diagnostics: tuple[Diagnostic, ...] | None = None
        call()
    except JobFileError as error:
        diagnostics = error.diagnostics
    assert diagnostics is None or diagnostics


def _load_text(data: bytes) -> None:
    somewhere = {"provider": "openai", "base_url": "http://h/v1"}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("job.yaml", "job.jsonl"):
            path = Path(folder) / name
            path.write_bytes(data)
            _is_job_or_diagnostics(partial(load, path, overrides=somewhere))
