"""``report`` writes one page: where, of what, and over which files."""

from __future__ import annotations

import json
import os
import re
import stat
import webbrowser
import zlib
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batch.cli.option_types import Size
from batch.codec import encode_line, encode_result
from batch.report.page import MARK
from batch.results.run_history import history_path
from tests.support.hostile_reports import record
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

JOB = """\
name: rivers
provider: openai
base_url: {url}/v1
model: m
prompt: "Where does the {{{{ name }}}} end?"
inputs:
  csv: rows.csv
  keep: [country]
"""


@pytest.fixture
def output(cli: Cli) -> Path:
    path = cli.folder / "out.jsonl"
    path.write_bytes(b"".join(map(encode_result, [succeeded("a", "An answer."), failed("b")])))
    return path


@pytest.fixture
def job(cli: Cli, server: ChatServer) -> Path:
    """A job of two rows, which has run."""
    (cli.folder / "rows.csv").write_text("id,name,country\nr1,Rhine,NL\nr2,Elbe,DE\n")
    (cli.folder / "job.yaml").write_text(JOB.format(url=server.url))
    assert cli("run", "job.yaml").code == 0
    return cli.folder / "output" / "rivers.jsonl"


def rows(page: Path) -> list[dict[str, Any]]:
    """The opened rows of a page, in the order of its table."""
    text = page.read_text("utf-8")
    found = re.findall(r'class="(?:chunk|block)"(?: data-block="(\d+)")?>([A-Za-z0-9+/=]*)<', text)
    unpacked = [(number, json.loads(zlib.decompress(b64decode(data)))) for number, data in found]
    blocks = {int(number): value for number, value in unpacked if number}
    chunk = next(value for number, value in unpacked if not number)
    places = zip(chunk["id"], chunk["block"], chunk["at"], strict=True)
    return [{"id": name, **(blocks[block][at] if block >= 0 else {})} for name, block, at in places]


def test_a_report_is_beside_its_output(cli: Cli, output: Path) -> None:
    ended = cli("report", "out.jsonl")
    assert (ended.code, ended.stderr) == (0, "")
    assert re.fullmatch(r"report written to out\.jsonl\.html \(\d+ kB\)\n", ended.stdout)
    page = cli.folder / "out.jsonl.html"
    assert page.read_text("utf-8").startswith(MARK)
    assert [row["id"] for row in rows(page)] == ["a", "b"]
    assert "No history of runs" in page.read_text("utf-8")


def test_a_report_has_no_wider_permissions_than_its_output(cli: Cli, output: Path) -> None:
    output.chmod(0o600)
    cli("report", "out.jsonl")
    assert stat.S_IMODE((cli.folder / "out.jsonl.html").stat().st_mode) == 0o600


def test_a_report_replaces_a_report_and_nothing_else(cli: Cli, output: Path) -> None:
    for _ in range(2):
        assert cli("report", "out.jsonl", "-o", "page.html").code == 0
    (cli.folder / "mine.html").write_text("<!doctype html>\nMy page.")
    (cli.folder / "folder").mkdir()
    for name in ("mine.html", "out.jsonl", "folder"):
        ended = cli("report", "out.jsonl", "-o", name)
        assert ended.code == 2
        assert f"{name} exists and is not a report of promptjobs" in ended.stderr
    assert (cli.folder / "mine.html").read_text() == "<!doctype html>\nMy page."
    assert sorted(path.name for path in cli.folder.glob("*.html")) == ["mine.html", "page.html"]


def test_what_a_killed_report_has_left_is_replaced(cli: Cli, output: Path) -> None:
    (cli.folder / ".out.jsonl.html.tmp").write_text("half a page")
    ended = cli("report", "out.jsonl")
    assert (ended.code, ended.stderr) == (0, "")
    assert not (cli.folder / ".out.jsonl.html.tmp").exists()


def test_prompts_come_from_the_job_file_while_it_asks_the_same(cli: Cli, job: Path) -> None:
    assert cli("report", "job.yaml", "-o", "page.html").code == 0
    first, second = rows(cli.folder / "page.html")
    assert first["messages"] == [{"role": "user", "content": "Where does the Rhine end?"}]
    assert (first["rendered"], first["metadata"]) == (True, {"country": "NL"})
    assert second["text"]

    with (cli.folder / "rows.csv").open("a") as file:
        file.write("r3,Oder,PL\n")
    text = (cli.folder / "rows.csv").read_text()
    (cli.folder / "rows.csv").write_text(text.replace("Elbe", "Weser"))
    assert cli("report", "job.yaml", "-o", "page.html").code == 0
    first, second, third = rows(cli.folder / "page.html")
    assert first["rendered"]
    assert second["stale"]
    assert "messages" not in second  # what was asked is not known any more
    assert third["messages"] == [{"role": "user", "content": "Where does the Oder end?"}]
    assert '"models":["","m"]' in (cli.folder / "page.html").read_text("utf-8")


def test_prompts_of_an_output_come_from_its_lines(cli: Cli, server: ChatServer, job: Path) -> None:
    assert cli("report", str(job), "-o", "page.html").code == 0
    assert all("messages" not in row for row in rows(cli.folder / "page.html"))
    lines = "output: {path: other.jsonl, include: [messages]}\n"
    (cli.folder / "job.yaml").write_text(JOB.format(url=server.url) + lines)
    assert cli("run", "job.yaml").code == 0
    assert cli("report", "other.jsonl", "-o", "page.html").code == 0
    first, _ = rows(cli.folder / "page.html")
    assert first["messages"] == [{"role": "user", "content": "Where does the Rhine end?"}]
    assert first["rendered"] is False


def test_jobs_and_outputs_are_shown_together(cli: Cli, job: Path, output: Path) -> None:
    assert cli("report", "out.jsonl", "job.yaml").code == 0
    page = cli.folder / "out.jsonl.html"
    assert [row["id"] for row in rows(page)] == ["a", "b", "r1", "r2"]
    text = page.read_text("utf-8")
    assert "<title>out, rivers – promptjobs report</title>" in text
    assert '"outputs":["out","rivers"]' in text


def test_a_run_is_in_the_report_with_its_timeline(cli: Cli, job: Path) -> None:
    assert cli("report", "job.yaml").code == 0
    text = Path(f"{job}.html").read_text("utf-8")
    assert "exit code 0: every request has succeeded" in text
    history_path(job).write_bytes(encode_line(record(job, "http_429")))
    assert cli("report", "job.yaml").code == 0
    text = Path(f"{job}.html").read_text("utf-8")
    assert '<path class="curve" d="M0 ' in text
    assert "http_429 being probed from 1.00 s to 2.00 s: http_429" in text


def test_no_text(cli: Cli, job: Path) -> None:
    assert cli("report", "job.yaml", "--no-text", "-o", "page.html").code == 0
    text = (cli.folder / "page.html").read_text("utf-8")
    assert "Rhine" not in text
    assert "Rhine" not in json.dumps(rows(cli.folder / "page.html"))
    assert [row["id"] for row in rows(cli.folder / "page.html")] == ["r1", "r2"]


def test_open_opens_it(cli: Cli, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert cli("report", "out.jsonl", "--open").code == 0
    assert opened == [(cli.folder / "out.jsonl.html").as_uri()]


@pytest.mark.parametrize(
    ("text", "size"), [("40MB", 40_000_000), ("1.5 kB", 1500), ("200", 200), ("2 GB", 2 * 10**9)]
)
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["many", "5 TB", "-1", ""])
def test_what_is_no_size(cli: Cli, output: Path, text: str) -> None:
    ended = cli("report", "out.jsonl", "--max-size", text)
    assert ended.code == 2
    assert "is not a size; write 40MB, 500kB or a number of bytes" in ended.stderr


def test_errors_leave_no_page(cli: Cli, job: Path) -> None:
    (cli.folder / "rows.csv").unlink()
    assert cli("report", "job.yaml", "-o", "page.html").code == 2
    assert cli("report", "missing.yaml", "-o", "page.html").code == 2
    assert [name for name in os.listdir(cli.folder) if "html" in name] == []
