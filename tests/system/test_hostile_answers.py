"""Malicious answers: each is one line of the output, and none reaches a terminal unescaped.

Nor what is written for people to look at: the log and the summary beside the output.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from batch.codec import decode_result
from batch.testing import DONE, FaultServer, Reset, Send, answer, chunk, finish, head
from tests.support.cli_support import Cli, in_thread, on_terminal
from tests.support.job_files import write_job

if TYPE_CHECKING:
    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

HARM = {
    "line ends": "one\rtwo\r\nthree\x0bfour\x0cfive\x1csix\x1dseven\x1eeight\x85nine\u2028ten\u2029eleven\n",
    "NUL": "before\0after",
    "controls": "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "colours and screens": "\x1b[1;35mpink\x1b[2J\x1b[H\x1b[?1049h\x9b3J",
    "title and clipboard": "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x1b\\\x9d0;owned\x9c\x1bP+q\x1b\\",
    "a link": "\x1b]8;;http://evil.example\x1b\\innocent\x1b]8;;\x1b\\",
    "directions": "\u202eesrever\u2066\u200f\ufeff",
    "markup": "</script><script>alert(1)</script><!-- ]]> ${7*7} {{ 7*7 }} {% raw %}",
    "a forged line": '\n{"schema_version":1,"id":"forged","status":"succeeded"}\n',
    "not characters": "\ufffe\uffff\U0010ffff",
    "a pair in two halves": "\U0001f600",
    "five megabytes": "\x070123456789abcdef" * (5 * 2**16),
}
"""What the models say, by the id of the request."""

ALONE = {"a lone surrogate": ("low \udc00, high \ud800.", "low \ufffd, high \ufffd.")}
"""What has no form in UTF-8, and what a line holds of it."""

HARM["all of it at once"] = "".join(text for name, text in HARM.items() if name != "five megabytes")

SAID = HARM | {name: said for name, (said, _) in ALONE.items()}
KEPT = HARM | {name: kept for name, (_, kept) in ALONE.items()}
NAMES = list(SAID)

OURS = re.compile(r"\x1b\[(?:31m|0m|A|K)|\r|\n")
"""All that a run itself sends to a terminal to draw: red, plain, up, to the end of the line."""


def pieces(text: str) -> list[str]:
    """The text in two parts, cut inside whatever is in its middle, surrogate pairs included."""
    units = text.encode("utf-16-le", "surrogatepass")
    half = len(units) // 4 * 2
    return [part.decode("utf-16-le", "surrogatepass") for part in (units[:half], units[half:])]


def said(text: str) -> bytes:
    """The events of a text; escaped by JSON, as what has no UTF-8 must be."""
    return b"".join(
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}).encode() + b"\n\n"
        for piece in pieces(text)
    )


def whole(received: Received) -> Script:
    text = SAID[received.messages[-1]["content"]]
    return [Send(head() + chunk(said(text) + finish() + DONE) + b"0\r\n\r\n")]


def cut(received: Received) -> Script:
    text = SAID[received.messages[-1]["content"]]
    return [Send(head() + chunk(said(text))), Reset()]


def refused(received: Received) -> Script:
    text = SAID[received.messages[-1]["content"]][:3000]
    error = json.dumps({"error": {"message": text, "type": text, "code": text}}).encode()
    return [Send(head() + chunk(b"data: " + error + b"\n\n") + b"0\r\n\r\n")]


@pytest.mark.parametrize("text", ["", " ", " a  b ", "a \0b", HARM["all of it at once"]])
def test_a_fault_server_plays_its_script(text: str) -> None:
    (send,) = answer(text)
    assert isinstance(send, Send)
    body = send.data.partition(b"\r\n\r\n")[2].split(b"\r\n", 1)[1]
    events = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == text


def test_every_answer_is_one_line_and_comes_back_as_it_was(cli: Cli) -> None:
    with in_thread(FaultServer(whole)) as server:
        write_job(cli.folder, server.url, {name: name for name in NAMES})
        ended = cli("run", "job.yaml", "-q")
        assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
        again = cli("run", "job.yaml", "--json")
        assert again.summary["sent"] == 0
    content = (cli.folder / "output" / "job.jsonl").read_bytes()
    assert {result.id: result.text for result in map(decode_result, content.splitlines())} == KEPT
    assert {line["id"]: line["text"] for line in map(json.loads, content.split(b"\n")[:-1])} == KEPT
    assert len(content.decode().splitlines()) == len(NAMES), "no character ends a line for any reader"


def test_an_answer_can_be_looked_at_without_harm(cli: Cli) -> None:
    with in_thread(FaultServer(whole)) as server:
        write_job(cli.folder, server.url, {"a": "all of it at once"})
        assert cli("run", "job.yaml", "-q").code == 0
    for flags in ([], ["--json"]):
        shown = cli("show", "job.yaml", "a", *flags)
        assert (shown.code, shown.stderr) == (0, "")
        assert "alert(1)" in shown.stdout
        assert shown.stdout.replace("\n", "").isprintable(), ascii(shown.stdout)


@pytest.mark.parametrize("script", [whole, cut, refused])
@pytest.mark.parametrize("flag", ["--json", "-v", "-q"])
async def test_nothing_of_it_reaches_a_terminal_raw(promptjobs: Command, script: object, flag: str) -> None:
    assert callable(script)
    async with FaultServer(script) as server:
        rows = {f"{name}: {KEPT[name][:100]}": name for name in NAMES}
        write_job(promptjobs.folder, server.url, rows, retries={"max_attempts": 2, "base": 0, "cap": 0})
        ended = await on_terminal(promptjobs, "run", "job.yaml", flag, env={})
    assert ended.code == {whole: 0, cut: 1, refused: 7}[script]
    assert flag == "-q" or f"of {len(NAMES)}" in ended.stderr
    assert ("\\" in ended.stderr) == (script is not whole), "what failed is named, and made harmless"
    rest = OURS.sub("", ended.stderr)
    assert rest.isprintable(), ascii(rest)
    for beside in ("job.jsonl.log", "job.jsonl.summary.json"):
        text = (promptjobs.folder / "output" / beside).read_text(encoding="utf-8")
        assert text.replace("\n", "").isprintable(), f"{beside} can be shown as it is"
