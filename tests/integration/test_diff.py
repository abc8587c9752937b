"""``diff`` compares two outputs by the ids of their requests."""

from __future__ import annotations

import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.app.inspect.diff import Selection, compared, of_output
from batch.cli.diff_text import in_words
from batch.codec import encode_line, encode_result
from batch.display_width import display_width
from batch.records import Timings, Usage
from batch.report.page import MARK
from batch.results.comparison.changes import Change
from batch.results.superseded import superseded_path
from tests.support.golden_messages import check_words
from tests.support.results_support import failed, hostile_text, succeeded
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batch.records import Result
    from tests.conftest import Command
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

BREAD = "Bread is made of flour, water and salt, and it is baked in an oven for an hour."
LONG = "The tower is tall. " * 6


def answer(name: str, text: str, *, seconds: float = 1.0, cost: float = 0.01, **more: Any) -> Result:
    result = succeeded(name, text)
    timings = Timings(0.0, 0.1, seconds)
    return replace(result, timings=timings, usage=Usage(10, 5, None), cost=cost, **more)


BEFORE = [
    answer("bread.txt", BREAD),
    answer("tower.txt", LONG + "It is white.", seconds=2.0),
    answer("same.txt", "Nothing new."),
    answer("model.txt", "Nothing new."),
    answer("fields", "{}", parsed={"label": "odd", "size": 3, "note": "short"}),
    answer("equal", '{"a": 1}', parsed={"a": 1}),
    answer("breaks.txt", "Fine."),
    failed("works.txt", "idle_timeout", message="no model output within 300 s"),
    failed("fails.txt", "http_500", message="down"),
    failed("still.txt", "http_500", message="down"),
    answer("gone.txt", "No longer asked."),
]
AFTER = [
    answer("new.txt", "Just asked."),
    answer("bread.txt", BREAD.replace("salt", "yeast"), seconds=0.5, cost=0.005, model="large"),
    answer("tower.txt", LONG + "It is red.", seconds=0.5, cost=0.005),
    answer("same.txt", "Nothing new."),
    answer("model.txt", "Nothing new.", model="large", finish_reason="end_turn"),
    answer("fields", "{ }", parsed={"label": "even", "size": 3.0, "tags": ["x"], "note": BREAD}),
    answer("equal", '{"a":1.0}', parsed={"a": 1.0}),
    failed("breaks.txt", "http_503", message="Service \x1b[31munavailable"),
    answer("works.txt", "It works."),
    failed("fails.txt", "http_400", message="bad"),
    failed("still.txt", "http_500", message="down again"),
]
COUNTS = {"now_failing": 1, "now_succeeding": 1, "changed": 4, "removed": 1, "added": 1, "same": 4}


def write(path: Path, results: Iterable[Result]) -> None:
    path.write_bytes(b"".join(map(encode_result, results)))


@pytest.fixture
def outputs(cli: Cli) -> Path:
    write(cli.folder / "a.jsonl", BEFORE)
    write(cli.folder / "b.jsonl", AFTER)
    return cli.folder


def compare(cli: Cli, *arguments: str, code: int = 1) -> dict[str, Any]:
    ended = cli("diff", *arguments, "--json")
    assert (ended.code, ended.stderr) == (code, "")
    return ended.summary


def test_the_words_of_a_comparison(cli: Cli, outputs: Path) -> None:
    ended = cli("diff", "a.jsonl", "b.jsonl", COLUMNS="80")
    assert (ended.code, ended.stderr) == (1, "")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    check_words("diff", "two outputs", ended.stdout)


def test_equal_outputs(cli: Cli, outputs: Path) -> None:
    ended = cli("diff", "a.jsonl", "a.jsonl")
    assert ended.code == 0
    check_words("diff", "equal outputs", ended.stdout)
    assert compare(cli, "a.jsonl", "a.jsonl", code=0)["changes"] == []


def test_damaged_lines_are_counted(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", [answer("a", "Yes."), answer("b", "No.")])
    content = (cli.folder / "a.jsonl").read_bytes()
    damaged = content.replace(b'"text":"No."', b'"text":"No\x00')
    (cli.folder / "b.jsonl").write_bytes(damaged + b'{"schema_version":1,')
    ended = cli("diff", "a.jsonl", "b.jsonl")
    assert (ended.code, ended.stderr) == (1, "")
    assert ended.stdout.splitlines()[:6] == [
        "removed: 1",
        "  b",
        "    No.",
        "",
        "1 request in both: 1 same",
        "1 removed",
    ]
    assert "\n2 damaged lines of b.jsonl, not compared\n" in ended.stdout
    found = compare(cli, "a.jsonl", "b.jsonl")
    assert (found["before"]["damaged"], found["after"]["damaged"]) == (0, 2)


def test_what_is_the_same_by_its_answer_is_no_difference(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", [answer("a", "Yes."), failed("b", message="once")])
    write(cli.folder / "b.jsonl", [answer("a", "Yes.", model="large"), failed("b", message="twice")])
    found = compare(cli, "a.jsonl", "b.jsonl", code=0)
    assert found["equal"] is True
    assert found["same_answer_other"] == {"model": 1, "served_by": 0, "verdict": 0, "finish_reason": 0}


def test_the_object_for_programs(cli: Cli, outputs: Path) -> None:
    found = compare(cli, "a.jsonl", "b.jsonl")
    changes = found.pop("changes")
    assert found == {
        "schema_version": 1,
        "equal": False,
        "counts": COUNTS,
        "same_answer_other": {"model": 1, "served_by": 0, "verdict": 0, "finish_reason": 1},
        "never_superseded": 0,
        "before": {
            "output": "a.jsonl",
            "damaged": 0,
            "prompt_tokens": 70,
            "completion_tokens": 35,
            "cost": pytest.approx(0.07),
            "unknown_costs": 0,
            "currency": None,
            "latency": {"p50": 1.0, "p90": 2.0},
        },
        "after": {
            "output": "b.jsonl",
            "damaged": 0,
            "prompt_tokens": 70,
            "completion_tokens": 35,
            "cost": pytest.approx(0.06),
            "unknown_costs": 0,
            "currency": None,
            "latency": {"p50": 1.0, "p90": 1.0},
        },
    }
    assert [(each["id"], each["change"]) for each in changes] == [
        ("breaks.txt", "now_failing"),
        ("works.txt", "now_succeeding"),
        ("bread.txt", "changed"),
        ("tower.txt", "changed"),
        ("fields", "changed"),
        ("fails.txt", "changed"),
        ("gone.txt", "removed"),
        ("new.txt", "added"),
    ]
    by_id = {each["id"]: each for each in changes}
    assert by_id["breaks.txt"]["after"]["code"] == "http_503"
    assert by_id["breaks.txt"]["before"]["text"] == "Fine."
    assert by_id["fields"]["fields"] == [
        {"path": "label", "before": "odd", "after": "even"},
        {"path": "note", "before": "short", "after": BREAD},
        {"path": "tags", "after": ["x"]},
    ]
    assert by_id["gone.txt"]["after"] is None
    assert by_id["new.txt"]["before"] is None


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        (["--only", "bread.txt"], ["bread.txt"]),
        (["--only", "*w.txt", "--only", "fields"], ["fields", "new.txt"]),
        (["--only", "same.txt"], []),
        (["--grep", "YEAST"], ["bread.txt"]),
        (["--grep", "salt"], ["bread.txt"]),
        (["--grep", "no longer"], ["gone.txt"]),
        (["--grep", "idle_timeout"], []),
        (["--grep", "no model output"], ["works.txt"]),
        (["--grep", "is", "--only", "tower*"], ["tower.txt"]),
        (["--limit", "1"], ["breaks.txt", "works.txt", "bread.txt", "gone.txt", "new.txt"]),
        (["--limit", "0"], []),
    ],
)  # fmt: skip
def test_filters(cli: Cli, outputs: Path, flags: list[str], ids: list[str]) -> None:
    ended = cli("diff", "a.jsonl", "b.jsonl", "--json", *flags)
    found = ended.summary
    assert sorted(each["id"] for each in found["changes"]) == sorted(ids)
    assert ended.code == (0 if found["equal"] else 1)
    assert found["equal"] == (not ids and "--limit" not in flags)


def test_what_is_left_out_is_counted(cli: Cli, outputs: Path) -> None:
    ended = cli("diff", "a.jsonl", "b.jsonl", "--limit", "1", COLUMNS="80")
    assert "  … 3 more; `--limit 4` shows all" in ended.stdout.splitlines()
    none = cli("diff", "a.jsonl", "b.jsonl", "--limit", "0", COLUMNS="80")
    check_words("diff", "--limit 0", none.stdout)


def test_the_newest_of_several_lines_counts(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", [answer("a", "one"), answer("b", "x"), answer("a", "two")])
    write(cli.folder / "b.jsonl", [answer("a", "zero"), answer("a", "two"), answer("b", "x")])
    assert compare(cli, "a.jsonl", "b.jsonl", code=0)["counts"]["same"] == 2


def test_an_output_is_compared_with_its_superseded_answers(cli: Cli) -> None:
    write(cli.folder / "out.jsonl", [answer("a", "new"), answer("b", "never changed")])
    superseded = superseded_path(cli.folder / "out.jsonl")
    write(superseded, [answer("a", "oldest"), answer("a", "old"), answer("c", "pruned")])
    found = compare(cli, "out.jsonl")
    assert found == compare(cli, superseded.name, "out.jsonl") | {"before": found["before"]}
    assert [(each["id"], each["change"]) for each in found["changes"]] == [("a", "changed"), ("c", "removed")]
    assert found["changes"][0]["before"]["text"] == "old"
    assert found["never_superseded"] == 1
    check_words("diff", "superseded answers", cli("diff", "out.jsonl").stdout, cli.folder)
    backwards = compare(cli, "out.jsonl", superseded.name)
    assert backwards["never_superseded"] == 0
    assert backwards["counts"]["removed"] == 1


def test_a_job_file_means_its_output(cli: Cli, server: ChatServer) -> None:
    def write_job(prompt: str) -> None:
        (cli.folder / "job.yaml").write_text(
            f"provider: openai\nmodel: m\nbase_url: {server.url}/v1\n"
            f"prompts: [{{id: a, prompt: {prompt}}}, {{id: b, prompt: unchanged}}]\n"
        )

    write_job("Name a river")
    assert cli("run", "job.yaml", "-q").code == 0
    ended = cli("diff", "job.yaml")
    assert ended.code == 2
    check_words("diff", "no superseded answers", ended.stderr, cli.folder)
    (cli.folder / "old.jsonl").write_bytes((cli.folder / "output" / "job.jsonl").read_bytes())
    write_job("Name a lake")
    assert cli("run", "job.yaml", "-q").code == 0
    for arguments in (["job.yaml"], ["old.jsonl", "job.yaml"]):
        found = compare(cli, *arguments)
        (change,) = found["changes"]
        assert (change["id"], change["before"]["text"]) == ("a", "echo: Name a river")
        assert change["after"]["text"] == "echo: Name a lake"
    assert compare(cli, "job.yaml", "job.yaml", code=0)["counts"]["same"] == 2


def test_errors(cli: Cli, outputs: Path, server: ChatServer) -> None:
    (cli.folder / "job.yaml").write_text(
        f"provider: openai\nmodel: m\nbase_url: {server.url}/v1\nprompt: Name a river\n"
    )
    (cli.folder / "other.jsonl").write_text('{"prompt": "a"}\n')
    for situation, arguments in {
        "a job that has not run": ["job.yaml", "a.jsonl"],
        "no such file": ["a.jsonl", "missing.yaml"],
        "no superseded answers of an output": ["a.jsonl"],
        "nothing": [],
        "--json and --html": ["a.jsonl", "b.jsonl", "--json", "--html", "page.html"],
        "a page on standard output": ["a.jsonl", "b.jsonl", "--html", "-"],
    }.items():
        ended = cli("diff", *arguments)
        assert (ended.code, ended.stdout) == (2, ""), situation
        check_words("diff", situation, ended.stderr, cli.folder)


def test_costs_in_two_currencies_have_no_difference(cli: Cli, outputs: Path) -> None:
    for name, currency in (("a", "EUR"), ("b", "USD")):
        summary = {**_SUMMARY, "currency": currency}
        (cli.folder / f"{name}.jsonl.summary.json").write_bytes(encode_line(summary))
    lines = cli("diff", "a.jsonl", "b.jsonl", "--limit", "0").stdout.splitlines()
    assert re.split(r"  +", next(line for line in lines if line.startswith("cost"))) == [
        *("cost", "EUR 0.07", "USD 0.06", "–")
    ]


_SUMMARY: dict[str, Any] = dict.fromkeys(
    ("exit_code", "total", "succeeded", "failed", "pending", "sent", "attempts", "prompt_tokens",
     "completion_tokens", "unmetered", "seconds", "orphans", "resumed"), 0,
) | {
    "schema_version": 1, "name": "", "output": "", "cost": None, "reasons": [], "codes": {}, "latency": None,
    "first_byte": None, "started_at": "", "ended_at": "", "job_sha256": None, "versions": {},
}  # fmt: skip


def test_a_page_is_written_beside_the_totals(cli: Cli, outputs: Path) -> None:
    ended = cli("diff", "a.jsonl", "b.jsonl", "--html", "page.html")
    assert (ended.code, ended.stderr) == (1, "")
    assert "\nreport written to page.html (" in ended.stdout
    assert "bread" not in ended.stdout
    text = (cli.folder / "page.html").read_text("utf-8")
    assert text.startswith(MARK)
    assert "<title>a.jsonl → b.jsonl – promptjobs diff</title>" in text
    (cli.folder / "mine.html").write_text("mine")
    ended = cli("diff", "a.jsonl", "b.jsonl", "--html", "mine.html")
    assert ended.code == 2
    assert "is not a report of promptjobs" in ended.stderr
    assert (cli.folder / "mine.html").read_text() == "mine"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(hostile_text, hostile_text, hostile_text), min_size=1, max_size=4),
    st.sampled_from([20, 80]),
)
def test_hostile_text_is_escaped_and_fits(
    tmp_path: Path, rows: list[tuple[str, str, str]], width: int
) -> None:
    write(tmp_path / "a.jsonl", [answer(f"start{name}", text) for name, text, _ in rows])
    write(tmp_path / "b.jsonl", [answer(f"start{name}", text, model=text) for name, _, text in rows])
    before, after = (of_output(tmp_path / name) for name in ("a.jsonl", "b.jsonl"))
    with compared(before, after, Selection()) as comparison:
        for line in in_words(comparison, width, 9, colour=False):
            assert display_width(line) <= max(width, 32)
            assert all(character.isprintable() or character.isspace() for character in line)
            assert not set(line) & set("\n\r\x1b\u2028")


@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal(promptjobs: Command, colour: bool) -> None:
    write(promptjobs.folder / "a.jsonl", BEFORE)
    write(promptjobs.folder / "b.jsonl", AFTER)
    environment = {**promptjobs.environment, "TERM": "xterm"} | ({} if colour else {"NO_COLOR": "1"})
    code, text = on_terminal(
        promptjobs.arguments("diff", "a.jsonl", "b.jsonl"), promptjobs.folder, environment, columns=60
    )
    assert code == 1
    assert (
        "water and \x1b[31msalt,\x1b[0m \x1b[32myeast,\x1b[0m and" in text.replace("\r\n    ", " ")
    ) == colour
    assert ("[-salt,-]" in text) != colour
    plain = re.sub(r"\x1b\[\d+m", "", text)
    assert "\x1b" not in plain
    assert max(map(display_width, plain.splitlines())) <= 60


@pytest.mark.slow
def test_long_outputs_are_compared_as_streams(tmp_path: Path) -> None:
    """Texts of 40 MB are never in memory together; the indexes take under 250 bytes a request."""
    rows = 20_000
    for name in ("a", "b"):
        with (tmp_path / f"{name}.jsonl").open("wb") as file:
            for number in range(rows):
                file.write(encode_result(answer(f"row-{number}", f"{name if number % 2 else ''} " * 500)))
    before, after = (of_output(tmp_path / name) for name in ("a.jsonl", "b.jsonl"))
    tracemalloc.start()
    with compared(before, after, Selection()) as comparison:
        shown = sum(1 for _ in comparison.pairs(Change.CHANGED))
        counts = comparison.totals.changes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (shown, counts[Change.CHANGED], counts[Change.SAME]) == (rows // 2, rows // 2, rows // 2)
    assert peak < 250 * rows + 2**20
