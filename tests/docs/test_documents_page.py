"""The example of ``docs/documents.md``, run as it stands on forty mixed documents; no weights are needed."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import docx, pdf

if TYPE_CHECKING:
    from tests.conftest import Ended
    from tests.support.cli_support import Cli

PAGE = (Path(__file__).parents[2] / "docs" / "documents.md").read_text(encoding="utf-8")
UNREADABLE = ["broken.docx", "empty.txt", "scanned.pdf"]
SENTENCE = "The tide turns and the harbour fills while lamps along the quay are lit. "
PARTS = "parts.yaml large.yaml"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


COMMANDS = [line.removeprefix("promptjobs ") for block in blocks("sh") for line in block.splitlines()]


def write_documents(folder: Path) -> None:
    """Forty: text, Markdown, HTML, Word and PDF; one broken, one empty, one scanned, one of 5 MB."""
    contents = {
        **{f"note-{n}.txt": f"Note {n}. The harbour closes at {n} o'clock.".encode() for n in range(10)},
        **{f"page-{n}.md": f"# Page {n}\n\nThe bridge was painted in 19{n}0.\n".encode() for n in range(9)},
        **{f"site-{n}.html": f"<h1>Site {n}</h1><p>The shop sells {n} cakes.".encode() for n in range(7)},
        **{f"letter-{n}.docx": docx(f"Letter {n}: we meet on May {n + 1}.") for n in range(6)},
        **{f"report-{n}.pdf": pdf(f"Report {n}: sales rose by {n} percent.") for n in range(4)},
        "broken.docx": b"PK\x03\x04 not an archive",
        "empty.txt": b"",
        "scanned.pdf": pdf(""),
        "large.txt": (SENTENCE * 70_000).encode(),
    }
    assert len(contents) == 40
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def example(cli: Cli) -> Cli:
    pytest.importorskip("kreuzberg", reason="the extra `documents` is not installed")
    write_documents(cli.folder / "documents")
    job, _, parts, large = blocks("yaml")
    for name, text in (("summaries", job), ("parts", parts), ("large", large)):
        (cli.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return cli


def skip_bad_rows(folder: Path) -> None:
    """Make the change that the page recommends."""
    job = folder / "summaries.yaml"
    before = job.read_text(encoding="utf-8")
    job.write_text(before.partition("inputs:\n")[0] + blocks("yaml")[1], encoding="utf-8")


def run(cli: Cli, command: str) -> Ended:
    return cli(*command.split(), "--set", "engine=extractive")


def test_the_page_has_these_commands() -> None:
    assert COMMANDS == [
        "validate summaries.yaml",
        "run --dry-run summaries.yaml",
        "run summaries.yaml",
        "show summaries.yaml --failed",
        "run parts.yaml large.yaml",
        "show summaries.yaml",
        "export summaries.yaml --format csv --columns id,text -o summaries.csv",
    ]


def test_validate_names_each_document_that_cannot_be_read(example: Cli) -> None:
    ended = run(example, COMMANDS[0])
    *errors, last = ended.stderr.splitlines()
    assert ended.code == 2
    assert [Path(line.partition(":")[0]).name for line in errors] == UNREADABLE
    assert last == "3 errors; nothing was sent"
    (shown,) = [line for line in blocks("text")[0].splitlines() if "scanned" in line]
    assert errors[2].endswith(shown.removesuffix("…") + "`inputs.on_bad_row: skip` sends the others")


def test_a_dry_run_warns_of_the_document_that_is_too_long(example: Cli) -> None:
    skip_bad_rows(example.folder)
    ended = example(*COMMANDS[1].split())
    assert ended.code == 0
    assert "1 of 37 requests to summary may be too long for the embedded model" in ended.stderr
    assert "large.txt" in ended.stderr
    assert "inputs.split" in ended.stderr


def test_the_others_are_summarized_and_a_repaired_document_is_sent_alone(example: Cli) -> None:
    skip_bad_rows(example.folder)
    first = run(example, f"{COMMANDS[2]} --json")
    assert first.code == 1
    assert {key: first.summary[key] for key in ("succeeded", "failed", "attempts")} == {
        "succeeded": 37,
        "failed": 3,
        "attempts": 37,
    }
    table = run(example, COMMANDS[3]).stdout.splitlines()
    assert [line.split()[:3] for line in table[1:4]] == [[name, "failed", "bad_row"] for name in UNREADABLE]
    (example.folder / "documents" / "broken.docx").write_bytes(docx("Repaired."))
    again = run(example, f"{COMMANDS[2]} --json")
    assert (again.summary["attempts"], again.summary["failed"]) == (1, 2)
    exported = run(example, COMMANDS[6])
    assert exported.code == 0, exported.stderr
    with (example.folder / "summaries.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 38


def test_a_long_document_is_summarized_in_parts(example: Cli) -> None:
    ended = run(example, f"{COMMANDS[4]} --json")
    assert ended.code == 0, ended.stderr
    shown = run(example, "show large.yaml")
    assert shown.stdout.splitlines()[1].startswith("documents/large.txt  succeeded")
    assert shown.stdout.splitlines()[-1] == "1 request: 1 succeeded, 0 failed"
