"""Outputs that other programs have saved, copied or replaced: no result is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch.codec import decode_result, encode_result
from batch.errors import ForeignOutputError, OutputWriteError
from batch.results.contents import holds_results, is_output
from batch.results.reader import ResultReader, find
from batch.results.result_log import ResultLog
from batch.results.statistics import summarise
from tests.support.results_support import failed, succeeded
from tests.support.simulated_disk import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

PATH = Path("/results.jsonl")
CORRUPT = Path("/results.jsonl.corrupt")


def line(request_id: str) -> bytes:
    return encode_result(succeeded(request_id))


A, B, C = line("a"), line("b"), line("c")
BOM = b"\xef\xbb\xbf"
A_BODY, B_BODY, C_BODY = A[:-1], B[:-1], C[:-1]


def held(content: bytes) -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.put(PATH, content)
    return disk


HARMLESS = {
    "CR": A_BODY + b"\r" + B_BODY + b"\r" + C_BODY + b"\r",
    "CR, without the last": A_BODY + b"\r" + B_BODY + b"\r" + C_BODY,
    "CR, a single LF at the end": A_BODY + b"\r" + B_BODY + b"\r" + C_BODY + b"\n",
    "CR in the middle": A + B_BODY + b"\r" + C,
    "CR at first, LF from then on": A_BODY + b"\r" + B + C,
    "a byte order mark": BOM + A + B + C,
    "two byte order marks, of joined files": BOM + A + B + BOM + C,
    "a byte order mark and CR": BOM + A_BODY + b"\r" + B_BODY + b"\r" + C_BODY,
    "blank lines": A + b"\n" + B + b"  \t\r\n\n" + C + b"\n\n",
    "spaces after the last line end": A + B + C + b"   ",
    "glued lines": A_BODY + B_BODY + C,
    "a glued first line": A_BODY + B + C,
    "glued lines without an end": A + B_BODY + C_BODY,
}
"""Files of three results, which the log writes anew as it would have written them."""

UNCHANGED = {
    "CRLF": A_BODY + b"\r\n" + B_BODY + b"\r\n" + C_BODY + b"\r\n",
    "CRLF in the middle": A + B_BODY + b"\r\n" + C,
    "CR CR LF": A_BODY + b"\r\r\n" + B_BODY + b"\r\r\n" + C_BODY + b"\r\r\n",
    "trailing spaces": A_BODY + b"  \n" + B_BODY + b"\t\n" + C,
    "CRLF and LF in turns": A_BODY + b"\r\n" + B + C_BODY + b"\r\n",
    "leading spaces": b" " + A + b"  " + B + C,
}
"""Files of three results that are valid as they are."""


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_changes_by_an_editor_lose_nothing(content: bytes) -> None:
    disk = held(content)
    log = ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + B + C
    assert [log.known(name) is not None for name in "abcd"] == [True, True, True, False]
    assert len(log.notices) == 1
    assert disk.names() == {PATH.name}


@pytest.mark.parametrize("content", UNCHANGED.values(), ids=UNCHANGED)
async def test_white_space_around_a_line_is_not_damage(content: bytes) -> None:
    disk = held(content)
    log = ResultLog.open(PATH, files=disk)
    assert (disk.content(PATH), log.notices) == (content, [])
    await log.write([succeeded("d")])
    await log.finish()
    assert disk.content(PATH) == content + line("d")


@pytest.mark.parametrize("content", [*HARMLESS.values(), *UNCHANGED.values()], ids=[*HARMLESS, *UNCHANGED])
def test_readers_find_the_same_results(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    assert is_output(path)
    assert holds_results(path)
    assert summarise(path)[0].succeeded == 3
    assert [found and found.id for found in (find(path, "a"), find(path, "c"), find(path, "d"))] == [
        "a",
        "c",
        None,
    ]
    with ResultReader(path) as lookup:
        assert [result.id for result in lookup.results()] == ["a", "b", "c"]
    assert path.read_bytes() == content


def test_a_missing_last_line_end_is_added() -> None:
    disk = held(A + B_BODY)
    log = ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + B
    assert log.notices == ["results.jsonl: added the missing line end of the last line; no results were lost"]
    assert log.known("b") is not None


async def test_a_file_cut_between_carriage_return_and_line_feed_can_be_resumed() -> None:
    disk = held(A_BODY + b"\r\n" + B_BODY + b"\r")
    log = ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A_BODY + b"\r\n" + B_BODY + b"\r\n"
    await log.write([succeeded("c")])
    await log.finish(["c", "b", "a"], order="input")
    assert disk.content(PATH) == C + B_BODY + b"\r\n" + A_BODY + b"\r\n"


async def test_a_result_after_a_line_without_its_end_is_a_line_of_its_own() -> None:
    disk = held(A_BODY)
    log = ResultLog.open(PATH, files=disk)
    await log.write([succeeded("b")])
    await log.finish(["b", "a"], order="input")
    assert disk.content(PATH) == B + A


def test_damage_among_changed_line_ends_is_still_damage() -> None:
    disk = held(A_BODY + b"\rdamaged\r" + B_BODY + b"\r" + C_BODY[:40])
    log = ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + B
    assert disk.content(CORRUPT) == b"damaged\n"
    assert len(log.notices) == 2
    assert log.known("c") is None


def test_zeros_before_a_whole_line_are_damage_and_the_line_is_not() -> None:
    disk = held(A + bytes(30) + B + C)
    ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + B + C
    assert disk.content(CORRUPT) == bytes(30) + b"\n"


@pytest.mark.parametrize("length", [1, 500_000, 3_000_000])
def test_long_answers_between_carriage_returns_stay_whole(length: int) -> None:
    long = encode_result(succeeded("long", "x" * length))
    disk = held(b"\r".join([A_BODY, long[:-1], B_BODY]))
    ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + long + B


def of_version(version: int, request_id: str = "b") -> bytes:
    return line(request_id).replace(b'"schema_version":1', b'"schema_version":%d' % version)


def sorted_keys(version: int) -> bytes:
    return b'{"attempts":1,"id":"b","schema_version":%d,"text":"An answer."}\n' % version


NEWER = {
    "in the middle": A + of_version(2) + C,
    "at the end": A + C + of_version(2),
    "without its line end": A + of_version(2)[:-1],
    "partial": A + of_version(2)[:60],
    "first": of_version(2) + A,
    "with fields of other types": A + b'{"schema_version":3,"id":7}\n' + C,
    "with sorted keys": A + sorted_keys(2) + C,
    "much newer": A + of_version(1000) + C,
    "after carriage returns": A_BODY + b"\r" + of_version(2)[:-1] + b"\r" + C_BODY,
    "glued": A_BODY + of_version(2) + C,
    "after damage": A + b"damaged\n" + of_version(2) + C[:50],
    "after a byte order mark": BOM + of_version(2) + A,
}


@pytest.mark.parametrize("content", NEWER.values(), ids=NEWER)
def test_results_of_a_newer_version_are_not_changed(content: bytes) -> None:
    disk = held(content)
    with pytest.raises(ForeignOutputError, match=r"results\.jsonl: line \d .*newer promptjobs"):
        ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == content
    assert disk.names() == {PATH.name}


@pytest.mark.parametrize("content", NEWER.values(), ids=NEWER)
def test_readers_do_not_skip_results_of_a_newer_version(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    with pytest.raises(ForeignOutputError, match="newer promptjobs"):
        ResultReader(path)


def test_a_result_of_a_newer_version_is_not_taken_for_a_foreign_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(A + of_version(2) + C)
    with pytest.raises(ForeignOutputError, match="line 2 was written by a newer promptjobs"):
        find(path, "b")


@pytest.mark.parametrize("damage", [sorted_keys(1), sorted_keys(0), b'{"schema_version":"2"}\n'])
def test_what_is_not_newer_is_damage(damage: bytes) -> None:
    disk = held(A + damage + C)
    ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + C
    assert disk.content(CORRUPT) == damage


def test_versions_inside_an_answer_are_ignored() -> None:
    nested = encode_result(succeeded("n", '}{"schema_version":2}\r{"schema_version": 9,'))
    disk = held(A + nested + b"damaged\n")
    ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == A + nested
    assert decode_result(nested).text == '}{"schema_version":2}\r{"schema_version": 9,'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_the_error_for_an_output_in_utf_16_explains_the_conversion(encoding: str) -> None:
    content = (A + B).decode().encode(encoding)
    disk = held(content)
    with pytest.raises(ForeignOutputError, match=r"saved as UTF-16 .* `iconv -f UTF-16 -t UTF-8"):
        ResultLog.open(PATH, files=disk)
    assert disk.content(PATH) == content


# Replaced while a run writes


def copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def restore(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    shutil.copy(path.with_name("elsewhere"), path.with_name("copy"))
    path.symlink_to("copy")


@pytest.mark.parametrize("replace", [copy, restore, link])
@pytest.mark.parametrize("written_before", [True, False])
async def test_a_copy_of_the_same_size_is_noticed(
    replace: Callable[[Path], None], written_before: bool, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(A)
    with ResultLog.open(path) as log:
        if written_before:
            await log.write([succeeded("b")])
        replace(path)
        left = path.read_bytes()
        with pytest.raises(OutputWriteError, match="changed, moved or removed"):
            await log.write([succeeded("c")])
        with pytest.raises(OutputWriteError, match="changed, moved or removed"):
            await log.write([succeeded("c")])
    assert path.read_bytes() == left


async def test_a_copy_is_noticed_before_the_output_is_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(encode_result(failed("b")) + A + B)
    with ResultLog.open(path) as log:
        copy(path)
        left = path.read_bytes()
        with pytest.raises(OutputWriteError, match="changed, moved or removed"):
            await log.finish(keep=True)
    assert path.read_bytes() == left


async def test_an_existing_empty_file_is_not_a_replacement(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.touch()
    with ResultLog.open(path) as log:
        await log.write([succeeded("a")])
        await log.finish()
    assert path.read_bytes() == A


async def test_another_name_of_the_same_file_is_not_a_replacement(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(A)
    with ResultLog.open(path) as log:
        path.rename(tmp_path / "moved.jsonl")
        (tmp_path / "moved.jsonl").rename(path)
        await log.write([succeeded("b")])
    assert path.read_bytes() == A + B
