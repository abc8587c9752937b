"""``show`` without ids: a table for people, JSON Lines for programs, and filters for both."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.app.inspect.listing import Listing, Row
from batch.app.inspect.row_filters import Filters
from batch.cli.result_table import table
from batch.codec import encode_result
from batch.display_width import display_width
from batch.records import Usage
from tests.support.results_support import failed, hostile_text, succeeded
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batch.records import Result
    from tests.conftest import Command
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

RESULTS = [
    succeeded("a.txt", "The Elbe\n\n  flows north."),
    failed("b.txt", "http_500", message="The server is down"),
    succeeded("notes/日本.txt", "要約です。"),
    replace(failed("c.txt", "bad_request", message="No such ELEMENT"), usage=Usage(7, None, None)),
    failed("d.txt", "http_503", message="Busy"),
]


def write(folder: Path, results: Iterable[Result] = RESULTS) -> None:
    (folder / "out.jsonl").write_bytes(b"".join(map(encode_result, results)))


def listed(cli: Cli, *flags: str, **env: str) -> list[str]:
    ended = cli("show", "out.jsonl", *flags, **env)
    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def as_json(cli: Cli, *flags: str, path: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("show", path, "--json", *flags).stdout.splitlines()]


def test_the_table_of_an_output(cli: Cli) -> None:
    write(cli.folder)
    assert listed(cli, COLUMNS="80") == [
        "id              status     code         tokens  first words",
        "a.txt           succeeded                  3+5  The Elbe flows north.",
        "b.txt           failed     http_500             The server is down",
        "notes/日本.txt  succeeded                  3+5  要約です。",
        "c.txt           failed     bad_request     7+?  No such ELEMENT",
        "d.txt           failed     http_503             Busy",
        "5 requests: 2 succeeded, 3 failed",
    ]


def test_a_superseded_line_is_not_listed(cli: Cli) -> None:
    write(cli.folder, [*RESULTS, succeeded("b.txt", "Up again.")])
    assert [row["id"] for row in as_json(cli)] == ["a.txt", "notes/日本.txt", "c.txt", "d.txt", "b.txt"]
    assert listed(cli)[-1] == "5 requests: 3 succeeded, 2 failed"


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        (["--failed"], ["b.txt", "c.txt", "d.txt"]),
        (["--status", "failed"], ["b.txt", "c.txt", "d.txt"]),
        (["--status", "succeeded"], ["a.txt", "notes/日本.txt"]),
        (["--status", "succeeded", "--failed"], ["a.txt", "b.txt", "notes/日本.txt", "c.txt", "d.txt"]),
        (["--status", "pending"], []),
        (["--code", "http_500"], ["b.txt"]),
        (["--code", "http_500", "--code", "bad_request"], ["b.txt", "c.txt"]),
        (["--code", "http_5*"], ["b.txt", "d.txt"]),
        (["--grep", "element"], ["c.txt"]),
        (["--grep", "elbe"], ["a.txt"]),
        (["--grep", "要約"], ["notes/日本.txt"]),
        (["--grep", "日本"], ["notes/日本.txt"]),
        (["--grep", ".*"], []),
        (["--failed", "--grep", "server"], ["b.txt"]),
        (["--code", "http_5*", "--grep", "busy"], ["d.txt"]),
        (["--limit", "2"], ["a.txt", "b.txt"]),
        (["--failed", "--limit", "1"], ["b.txt"]),
    ],
)
def test_filters(cli: Cli, flags: list[str], ids: list[str]) -> None:
    write(cli.folder)
    assert [row["id"] for row in as_json(cli, *flags)] == ids


def test_what_is_left_out_is_counted(cli: Cli) -> None:
    write(cli.folder)
    assert listed(cli, "--failed", "--limit", "1")[-2:] == [
        "5 requests: 2 succeeded, 3 failed",
        "1 of 3 shown, 2 left out; `--limit 3` shows all",
    ]
    assert listed(cli, "--grep", "e", "--limit", "0") == [
        "5 requests: 2 succeeded, 3 failed",
        "0 of 4 shown, 4 left out; `--limit 4` shows all",
    ]
    assert listed(cli, "--grep", "nowhere") == ["5 requests: 2 succeeded, 3 failed", "none of them matches"]
    assert cli("show", "out.jsonl", "--json", "--limit", "4").stderr == (
        "4 of 5 shown, 1 left out; `--limit 5` shows all\n"
    )
    write(cli.folder, [succeeded(str(number)) for number in range(60)])
    assert listed(cli)[-1] == "50 of 60 shown, 10 left out; `--limit 60` shows all"
    assert len(as_json(cli)) == 60


def test_json_lines_hold_the_results(cli: Cli) -> None:
    write(cli.folder)
    rows = as_json(cli)
    assert {key: rows[3][key] for key in rows[3] if key != "result"} == {
        "schema_version": 1,
        "id": "c.txt",
        "status": "failed",
        "code": "bad_request",
        "tokens": {"prompt": 7, "completion": None},
        "stale": False,
    }
    assert [row["result"] for row in rows] == [json.loads(encode_result(result)) for result in RESULTS]


def test_the_table_of_a_job_has_what_is_pending_and_the_jobs_order(cli: Cli, server: ChatServer) -> None:
    def write_job(ids: str) -> None:
        rows = "".join(json.dumps({"id": name}) + "\n" for name in ids)
        (cli.folder / "rows.jsonl").write_text(rows)

    (cli.folder / "job.yaml").write_text(
        f"provider: openai\nmodel: m\nbase_url: {server.url}/v1\nprompt: 'about {{{{ id }}}}'\n"
        "inputs: {jsonl: rows.jsonl}\n"
    )
    write_job("ba")
    assert cli("run", "job.yaml", "-q").code == 0
    with (cli.folder / "output" / "job.jsonl").open("ab") as file:
        file.write(encode_result(succeeded("c", "of another prompt")))
    write_job("abcd")
    ended = cli("show", "job.yaml", COLUMNS="80")
    assert ended.stdout.splitlines() == [
        "id  status     tokens  first words",
        "a   succeeded     3+2  echo: about a",
        "b   succeeded     3+2  echo: about b",
        "c   pending            (changed since its last result)",
        "d   pending",
        "4 requests: 2 succeeded, 0 failed, 2 pending",
    ]
    pending = as_json(cli, "--status", "pending", path="job.yaml")
    assert [(row["id"], row["stale"], row["result"] is None) for row in pending] == [
        *(("c", True, False), ("d", False, True))
    ]


def test_ids_and_filters_exclude_each_other(cli: Cli) -> None:
    write(cli.folder)
    for flags in ("--failed", "--code=http_500", "--grep=x", "--limit=1", "--status=failed"):
        ended = cli("show", "out.jsonl", "a.txt", flags)
        assert (ended.code, "give no IDs" in ended.stderr) == (2, True)


def test_the_variables_of_other_commands_select_no_rows(cli: Cli) -> None:
    write(cli.folder)
    variables = {"PROMPTJOBS_LIMIT": "1", "PROMPTJOBS_CODE": "http_500", "PROMPTJOBS_FAILED": "1"}
    assert len(as_json(cli)) == len(cli("show", "out.jsonl", "--json", **variables).stdout.splitlines()) == 5
    assert cli("show", "out.jsonl", "a.txt", **variables).code == 0


def test_several_ids_are_shown_one_after_the_other(cli: Cli) -> None:
    write(cli.folder)
    shown = listed(cli, "a.txt", "c.txt")
    assert [line for line in shown if line.startswith("id ") or not line] == [
        *("id         a.txt", "", "id         c.txt")
    ]
    assert [row["id"] for row in as_json(cli, "a.txt", "c.txt")] == ["a.txt", "c.txt"]


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("http500", "http_500"),
        ("HTTP 502", "http_502"),
        ("503", "http_503"),
        ("bad_requests", "bad_request"),
        ("conect", "connect"),
    ],
)
def test_a_mistyped_code_is_named(cli: Cli, code: str, meant: str) -> None:
    write(cli.folder)
    ended = cli("show", "out.jsonl", "--code", code)
    assert ended.code == 2
    assert f"'{code}' is not an error code; did you mean `{meant}`?" in ended.stderr


WIDTHS = (1, 5, 20, 34, 40, 60, 80, 120, 200)


@given(
    st.lists(
        st.tuples(hostile_text, hostile_text, st.sampled_from(["succeeded", "failed"]), hostile_text),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(WIDTHS),
)
def test_no_row_is_wider_than_the_terminal_or_shown_raw(rows: list[tuple[str, ...]], width: int) -> None:
    cells = [
        Row(name, status, code if status == "failed" else "", _result(name, status, text))  # type: ignore[arg-type]
        for name, code, status, text in rows
    ]
    lines = list(table(cells, width, colour=False))
    assert len(lines) == len(rows) + 1
    assert all(display_width(line) <= width for line in lines)
    assert all(character.isprintable() or character.isspace() for line in lines for character in line)
    assert not any(set(line) & set("\n\r\x1b\u2028") for line in lines)


def _result(name: str, status: str, text: str) -> Result:
    return succeeded(name, text) if status == "succeeded" else failed(name, message=text)


def test_columns_stand_below_their_heads_for_wide_and_combining_characters() -> None:
    names = ("plain", "日本語", "e\u0301te\u0301", "🎉")
    lines = list(table([Row(name, "succeeded", "", succeeded(name)) for name in names], 80, colour=False))
    places = [line.index("succeeded") for line in lines[1:]]
    assert lines[0].index("status") == 8
    assert [display_width(line[:place]) for line, place in zip(lines[1:], places, strict=True)] == [8] * 4


@pytest.mark.parametrize(("columns", "colour"), list(product((40, 80, 120), (True, False))))
def test_on_a_terminal_the_table_fits(promptjobs: Command, columns: int, colour: bool) -> None:
    write(
        promptjobs.folder, [failed(f"reports/{'é' * 50}/{n}.txt", message="日本語 " * 40) for n in range(3)]
    )
    environment = {**promptjobs.environment, "TERM": "xterm"} | ({} if colour else {"NO_COLOR": "1"})
    code, text = on_terminal(
        promptjobs.arguments("show", "out.jsonl"), promptjobs.folder, environment, columns=columns
    )
    assert code == 0
    assert ("\x1b[31m" in text) == colour
    plain = text.replace("\x1b[31m", "").replace("\x1b[0m", "").splitlines()
    assert max(display_width(line) for line in plain[:4]) == columns
    assert all("/0.txt" in line or "/1.txt" in line or "/2.txt" in line for line in plain[1:4])


@pytest.mark.slow
def test_a_long_output_is_read_as_a_stream(tmp_path: Path) -> None:
    """Texts of 20 MB are never in memory together; the index of the lines takes under 100 bytes each."""
    path, lines = tmp_path / "out.jsonl", 20_000
    with path.open("wb") as file:
        for number in range(lines):
            file.write(encode_result(succeeded(f"row-{number}", "x" * 1000)))
    tracemalloc.start()
    listing = Listing(Filters(text="ROW-1999"))
    found = [row.id for row in listing.of_output(path)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["row-1999", *(f"row-1999{number}" for number in range(10))]
    assert (listing.counts.total(), listing.matching) == (lines, 11)
    assert peak < 100 * lines + 2**20


def test_a_reader_that_leaves_ends_the_listing(promptjobs: Command) -> None:
    write(promptjobs.folder, [succeeded(str(number)) for number in range(5000)])
    with subprocess.Popen(
        [sys.executable, "-m", "batch", "show", "out.jsonl", "--json"],
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
