"""``promptjobs validate``: the same errors for people, for programs and for GitHub; never a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batch.cli.error_formats import as_github, full, sources
from batch.errors import Diagnostic
from tests.support.cli_support import Cli
from tests.support.jobfile_support import HEAD, write
from tests.unit.jobfile.test_job_file_errors import ONE_ERROR

if TYPE_CHECKING:
    from pathlib import Path

JOB = HEAD + "prompt: hello\ntemperature: 0\nconcurency: 3\n"
TEMPERATURE = "job.yaml:5:1: temperature: unknown key; write parameters under `params`"
CONCURRENCY = "job.yaml:6:1: concurency: unknown key; did you mean `concurrency`?"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    write(tmp_path, JOB)
    return Cli(tmp_path, monkeypatch, capsys)


FORMATS = {
    "full": [
        TEMPERATURE,
        "    5 | temperature: 0",
        "        ^",
        CONCURRENCY,
        "    6 | concurency: 3",
        "        ^",
        "2 errors; nothing was sent",
    ],
    "concise": [TEMPERATURE, CONCURRENCY, "2 errors; nothing was sent"],
}


@pytest.mark.parametrize("form", FORMATS)
def test_people_read_it_on_standard_error(cli: Cli, form: str) -> None:
    ended = cli("validate", "job.yaml", "--output-format", form)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == FORMATS[form]


def test_full_is_the_default(cli: Cli) -> None:
    assert cli("validate", "job.yaml").stderr.splitlines() == FORMATS["full"]


def test_of_too_many_all_are_counted(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, HEAD + "prompt: a\n" + "".join(f"key{n}: 1\n" for n in range(250)))
    *lines, rest, last = cli("validate", "--output-format", "concise", "job.yaml").stderr.splitlines()
    assert (len(lines), rest) == (100, "job.yaml: and 150 more errors")
    assert last == "250 errors; nothing was sent"


def test_github_reads_annotations_on_standard_output(cli: Cli) -> None:
    ended = cli("validate", "job.yaml", "--output-format", "github")
    assert (ended.code, ended.stderr) == (2, "")
    assert ended.stdout.splitlines() == [
        "::error file=job.yaml,line=5,col=1::temperature: unknown key; write parameters under `params`",
        "::error file=job.yaml,line=6,col=1::concurency: unknown key; did you mean `concurrency`?",
    ]


def test_programs_read_json_on_standard_output(cli: Cli) -> None:
    ended = cli("validate", "job.yaml", "--output-format", "json")
    assert (ended.code, ended.stderr) == (2, "")
    assert json.loads(ended.stdout) == {
        "schema_version": 1,
        "mistakes": [
            {
                "path": "job.yaml",
                "line": 5,
                "column": 1,
                "where": "temperature",
                "what": "unknown key",
                "hint": "write parameters under `params`",
                "severity": "error",
            },
            {
                "path": "job.yaml",
                "line": 6,
                "column": 1,
                "where": "concurency",
                "what": "unknown key",
                "hint": "did you mean `concurrency`?",
                "severity": "error",
            },
        ],
        "warnings": [],
        "requests": {},
    }


def test_an_error_in_a_row_has_the_same_keys(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "id,x\na,none.png\n", "rows.csv")
    write(tmp_path, HEAD + "prompt: hello\nimages: ['{{ x }}']\ninputs: {csv: rows.csv}\n")
    (error,) = json.loads(cli("validate", "job.yaml", "--output-format", "json").stdout)["mistakes"]
    assert error == {
        "path": str(tmp_path / "rows.csv"),
        "line": 2,
        "column": 1,
        "where": "prompt",
        "what": "images[0]: none.png: no such file",
        "hint": "",
        "severity": "error",
    }


def test_a_sound_job_is_json_too(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, HEAD + "prompt: hello\n")
    ended = cli("validate", "job.yaml", "--output-format", "json")
    assert ended.code == 0
    assert json.loads(ended.stdout) == {
        "schema_version": 1,
        "mistakes": [],
        "warnings": [],
        "requests": {"job.yaml": {"m": 1}},
    }


QUOTED = [
    ("a: b\n", (1, 4), ["    1 | a: b", "           ^"]),
    ("a: \x1b[2J\n", (1, 1), ["    1 | a: \\x1b[2J", "        ^"]),
    ("\x1b\x1b: 1\n", (1, 3), ["    1 | \\x1b\\x1b: 1", "                ^"]),
    ("a\u2028b: 1\n", (2, 1), ["    2 | b: 1", "        ^"]),
    ("a: 1\n", (3, 1), []),
    ("a: 1\n", (0, 0), []),
    ("api_key: abc\n", (1, 1), []),
    ("url: http://u:p@h\n", (1, 1), []),
    ("x-token: abc\n", (1, 1), []),
    ("max_tokens: abc\n", (1, 1), ["    1 | max_tokens: abc", "        ^"]),
    ("tokens: abc\n", (1, 1), []),
    ("tokens: 0, overlap: 9\n", (1, 9), ["    1 | tokens: 0, overlap: 9", "                ^"]),
    (
        "x" * 300 + "!" + "y" * 300,
        (1, 301),
        ["    1 | " + "x" * 50 + "!" + "y" * 49, " " * 58 + "^"],
    ),
]


@pytest.mark.parametrize(("text", "at", "lines"), QUOTED)
def test_the_line_is_quoted_with_a_caret_and_made_harmless(
    text: str, at: tuple[int, int], lines: list[str]
) -> None:
    quoted = full([Diagnostic("f", *at, "", "wrong")], {"f": text.replace("\u2028", "\n").split("\n")})
    assert quoted[1:] == lines


@pytest.mark.parametrize("text", [case[0] for case in ONE_ERROR if "hidden" in case[0]])
def test_no_format_repeats_a_secret(cli: Cli, tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    for form in ("full", "concise", "json", "github"):
        ended = cli("validate", "job.yaml", "--output-format", form)
        assert ended.code == 2
        assert "hidden" not in ended.stdout + ended.stderr


def test_rows_are_not_quoted(tmp_path: Path) -> None:
    rows = write(tmp_path, '{"prompt": "private"}\n', "rows.jsonl")
    assert sources([rows, None, tmp_path / "missing.yaml"]) == {}


ANNOTATIONS = [
    (Diagnostic("a.yaml", 0, 0, "", "is empty"), "::error file=a.yaml::is empty"),
    (Diagnostic("a,b:c%.yaml", 1, 2, "k", "w", "h"), "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2::k: w; h"),
    (
        Diagnostic("a", 1, 1, "", "100 %\n::error::forged"),
        "::error file=a,line=1,col=1::100 %25\\n::error::forged",
    ),
]


@pytest.mark.parametrize(("diagnostic", "annotation"), ANNOTATIONS)
def test_an_annotation_is_one_line_whatever_it_says(diagnostic: Diagnostic, annotation: str) -> None:
    assert as_github([diagnostic]) == [annotation]
