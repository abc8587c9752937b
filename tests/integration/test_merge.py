"""``promptjobs merge``: outputs of a job's shards become one, whatever is in them."""

from __future__ import annotations

import json
import multiprocessing
import os
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batch.app.merge import merge
from batch.codec import decode_result, encode_result
from batch.errors import OutputLockedError, OutputOfAnotherJobError, UsageError
from batch.results.lock import OutputLock
from batch.results.output_owner import Owner, read_owner, write_owner
from tests.support import kill_support
from tests.support.golden_messages import check_words
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.records import Result
    from tests.support.cli_support import Cli


def at(result: Result, minute: int) -> Result:
    """The result, with the time of its end."""
    return replace(result, completed_at=f"2026-11-29T06:{minute:02}:00.000Z")


def write(path: Path, results: Sequence[Result]) -> Path:
    """An output with these lines."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(map(encode_result, results)))
    return path


def ids(path: Path) -> list[str]:
    return [decode_result(line).id for line in path.read_bytes().splitlines(keepends=True)]


def three(folder: Path) -> list[Path]:
    """The outputs of three shards; each request is in one of them."""
    lines = [
        [at(succeeded("a"), 1), at(failed("b"), 4)],
        [at(succeeded("c"), 2)],
        [at(succeeded("d"), 5), at(replace(succeeded("e"), cost=0.25), 3)],
    ]
    return [write(folder / f"job.{number}-of-3.jsonl", part) for number, part in enumerate(lines, 1)]


def test_each_line_is_there_once_by_time(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    before = [path.read_bytes() for path in outputs]
    merged = merge(outputs, tmp_path / "job.jsonl")
    assert ids(merged.output) == ["a", "c", "e", "b", "d"]
    assert (merged.outputs, merged.succeeded, merged.failed, merged.superseded) == (3, 4, 1, 0)
    assert [path.read_bytes() for path in outputs] == before
    assert sorted(merged.output.read_bytes().splitlines()) == sorted(b"".join(before).splitlines())
    assert not (tmp_path / "job.jsonl.superseded.jsonl").exists()


def test_any_order_gives_the_same_file(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    contents = set()
    for number, order in enumerate(permutations(outputs)):
        contents.add(merge(order, tmp_path / f"{number}.jsonl").output.read_bytes())
    assert len(contents) == 1


def test_merging_again_changes_nothing(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    first = merge(outputs, tmp_path / "job.jsonl").output.read_bytes()
    assert merge(outputs, tmp_path / "job.jsonl").output.read_bytes() == first
    assert merge(outputs[:1], tmp_path / "job.jsonl").output.read_bytes() == first
    assert merge([tmp_path / "job.jsonl"], tmp_path / "job.jsonl").output.read_bytes() == first


def test_step_by_step_is_the_same_as_at_once(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    for path in outputs:
        merge([path], tmp_path / "steps.jsonl")
    assert (tmp_path / "steps.jsonl").read_bytes() == merge(
        outputs, tmp_path / "once.jsonl"
    ).output.read_bytes()


def test_the_output_may_be_one_of_the_inputs(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    once = merge(outputs, tmp_path / "job.jsonl").output.read_bytes()
    merged = merge(outputs, outputs[0])
    assert merged.output == outputs[0]
    assert outputs[0].read_bytes() == once


def test_superseded_answers_are_kept_once(tmp_path: Path) -> None:
    old, new = at(succeeded("x", "old"), 1), at(succeeded("x", "new", fingerprint="b" * 32), 2)
    earlier = at(succeeded("x", "earlier", fingerprint="c" * 32), 0)
    outputs = [write(tmp_path / "job.1-of-2.jsonl", [old]), write(tmp_path / "job.1-of-3.jsonl", [new])]
    write(tmp_path / "job.1-of-2.jsonl.superseded.jsonl", [earlier])
    kept = tmp_path / "job.jsonl.superseded.jsonl"
    for _ in range(3):
        assert merge(outputs, tmp_path / "job.jsonl").superseded == 1
        assert (tmp_path / "job.jsonl").read_bytes() == encode_result(new)
        assert kept.read_bytes() == encode_result(old) + encode_result(earlier)


def test_files_beside_outputs_are_not_outputs(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    kept = write(tmp_path / "job.1-of-3.jsonl.superseded.jsonl", [at(succeeded("z"), 9)])
    history = tmp_path / "job.1-of-3.jsonl.runs.jsonl"
    history.write_text('{"schema_version":1}\n', encoding="utf-8")
    merged = merge(
        [*outputs, kept, history], tmp_path / "job.jsonl"
    )  # a shell expands `*-of-*.jsonl` to these
    assert merged.outputs == 3
    assert "z" not in ids(merged.output)
    assert not kept.with_name(f"{kept.name}.lock").exists()


def test_damaged_lines_are_set_aside_and_named(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    whole = merge(outputs, tmp_path / "whole.jsonl").output.read_bytes()
    first, second, third = (path.read_bytes() for path in outputs)
    outputs[0].write_bytes(first.replace(b"\n", b"\n\0\0\n", 1))
    outputs[1].write_bytes(second + b'{"schema_version":1,"id":"half')
    outputs[2].write_bytes(third.replace(b"\n", b"\r\n"))
    merged = merge(outputs, tmp_path / "job.jsonl")
    assert merged.output.read_bytes() == whole
    assert (tmp_path / "job.1-of-3.jsonl.corrupt").read_bytes() == b"\0\0\n"
    first_name = outputs[0].name
    assert merged.notices == [
        f"{first_name}: 1 unreadable line moved to {first_name}.corrupt; their requests are sent again",
        "job.2-of-3.jsonl: removed a partial last line (30 bytes); its request is sent again",
    ]


def owner(job: Path, output: Path) -> Owner:
    job.parent.mkdir(parents=True, exist_ok=True)
    job.touch()
    relative = os.path.relpath(job, output.parent)
    return Owner(job.stem, str(output), str(job), str(job), relative)


def test_outputs_of_another_job_are_refused(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    for path, name in zip(outputs, ("one", "one", "other"), strict=True):
        write_owner(path, owner(tmp_path / f"{name}.yaml", path))
    with pytest.raises(OutputOfAnotherJobError, match=r"job\.3-of-3\.jsonl is an output of .*other\.yaml"):
        merge(outputs, tmp_path / "job.jsonl")
    assert not (tmp_path / "job.jsonl").exists()
    merge(outputs[:2], tmp_path / "job.jsonl")
    with pytest.raises(OutputOfAnotherJobError):
        merge(outputs[2:], tmp_path / "job.jsonl")


def test_a_job_of_the_same_name_elsewhere_is_another_one(tmp_path: Path) -> None:
    outputs = []
    for name in ("here", "there"):
        (tmp_path / name / "output").mkdir(parents=True)
        output = write(tmp_path / name / "output" / "o.jsonl", [at(succeeded(name), 1)])
        write_owner(output, owner(tmp_path / name / "job.yaml", output))
        outputs.append(output)
    with pytest.raises(OutputOfAnotherJobError):
        merge(outputs, tmp_path / "o.jsonl")
    (tmp_path / "there" / "job.yaml").unlink()  # its output may come from a copy of the job
    assert merge(outputs, tmp_path / "o.jsonl").succeeded == 2


def test_the_merged_output_belongs_to_the_job(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    for path in outputs:
        write_owner(path, owner(tmp_path / "jobs" / "one.yaml", path))
    merged = merge(outputs, tmp_path / "results" / "job.jsonl")
    job, output = str(tmp_path / "jobs" / "one.yaml"), str(tmp_path / "results" / "job.jsonl")
    assert read_owner(merged.output) == Owner("one", output, job, job, "../jobs/one.yaml")


def test_outputs_in_use_are_refused(tmp_path: Path) -> None:
    outputs = three(tmp_path)
    for held in (outputs[1], tmp_path / "job.jsonl"):
        with (
            OutputLock(held),
            pytest.raises(OutputLockedError, match=rf"{held.name} is locked by another run"),
        ):
            merge(outputs, tmp_path / "job.jsonl")
        assert not (tmp_path / "job.jsonl").exists()


@pytest.mark.parametrize("content", ["name,age\nAda,36\n", '{"id": "a"}\n'])
def test_files_of_other_programs_are_refused(tmp_path: Path, content: str) -> None:
    outputs = three(tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_text(content, encoding="utf-8")
    for paths, into in (([*outputs, other], tmp_path / "job.jsonl"), (outputs, other)):
        with pytest.raises(UsageError, match="not written by promptjobs"):
            merge(paths, into)
    assert other.read_text(encoding="utf-8") == content
    assert not (tmp_path / "job.jsonl").exists()


def test_outputs_without_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results to merge"):
        merge([write(tmp_path / "a.jsonl", [])], tmp_path / "job.jsonl")
    assert not (tmp_path / "job.jsonl").exists()


def _merge_and_die(outputs: list[Path], into: Path, operation: float) -> None:
    kill_support._make_mortal(operation)
    merge(outputs, into)


def test_a_killed_merge_loses_nothing(tmp_path: Path) -> None:
    """The merge is killed before and after each operation on the disk, and in the midst of a write."""
    old = at(succeeded("a", "old"), 0)
    kept = "job.jsonl.superseded.jsonl"
    context = multiprocessing.get_context("fork")
    deaths = 0
    for operation in (step / 2 for step in range(2, 100)):
        folder = tmp_path / str(operation)
        outputs = three_in(folder)
        into = write(folder / "job.jsonl", [old])
        process = context.Process(target=_merge_and_die, args=(outputs, into, operation))
        process.start()
        process.join()
        deaths += process.exitcode == -9
        found = into.read_bytes().splitlines(keepends=True)
        assert encode_result(old) in [*found, *_lines(folder / kept)]
        assert len(found) in (1, 5)
        assert merge(outputs, into).output.read_bytes().count(b"\n") == 5
        assert _lines(folder / kept) == [encode_result(old)]
        assert ids(into) == ["a", "c", "e", "b", "d"]
        assert not list(folder.glob(".*.tmp"))
        if process.exitcode == 0:
            break
    assert deaths > 10


def three_in(folder: Path) -> list[Path]:
    folder.mkdir()
    return three(folder)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def test_the_command_counts_what_it_merged(cli: Cli) -> None:
    outputs = [path.name for path in three(cli.folder)]
    ended = cli("merge", *outputs, "-o", "job.jsonl")
    assert (ended.code, ended.stderr) == (0, "")
    check_words("merge", "three outputs", ended.stdout, cli.folder)
    counts = json.loads(cli("merge", *outputs, "-o", "job.jsonl", "--json").stdout)
    assert counts == {
        "schema_version": 1,
        "output": str(cli.folder / "job.jsonl"),
        "merged": 3,
        "succeeded": 4,
        "failed": 1,
        "superseded": 0,
    }


def test_the_status_of_the_merged_output_is_the_sum(cli: Cli) -> None:
    outputs = [path.name for path in three(cli.folder)]
    cli("merge", *outputs, "-o", "job.jsonl")
    status = json.loads(cli("status", "job.jsonl", "--json").stdout)
    assert (status["succeeded"], status["failed"], status["cost"]) == (4, {"http_500": 1}, 0.25)
    assert (status["prompt_tokens"], status["completion_tokens"]) == (12, 20)


ERRORS = {
    "no output": ("merge", "job.1-of-3.jsonl"),
    "standard output": ("merge", "job.1-of-3.jsonl", "-o", "-"),
    "no such file": ("merge", "job.4-of-3.jsonl", "-o", "job.jsonl"),
    "a job file": ("merge", "job.yaml", "-o", "job.jsonl"),
}


@pytest.mark.parametrize("situation", ERRORS)
def test_errors_are_named(cli: Cli, situation: str) -> None:
    three(cli.folder)
    (cli.folder / "job.yaml").write_text("prompt: hello\n", encoding="utf-8")
    ended = cli(*ERRORS[situation])
    assert (ended.code, ended.stdout) == (2, "")
    check_words("merge", situation, ended.stderr, cli.folder)
