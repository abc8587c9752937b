"""A server that echoes a key in any form and place: the key reaches no file and no terminal."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest

from batch.providers.credentials import Credentials
from batch.providers.redaction import Secrets, without
from batch.records import Failure, Reply, Verdict
from batch.testing import DONE, LAST_CHUNK, Cut, FaultServer, Send, answer, chunk, delta, finish, head, status
from tests.support.cli_support import Cli, in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.testing import Received, Script

pytestmark = pytest.mark.anyio

KEY = "sk-Pr0j+9fZq/3Xw_7bK2mN8pL5vR&dG4hT"
"""With characters that URLs, HTML, JSON and the two alphabets of base64 each write in ways of their own."""


def _b64(before: str, key: str = KEY, after: str = "") -> str:
    return base64.b64encode(f"{before}{key}{after}".encode()).decode()


FORMS: dict[str, str] = {
    "plain": KEY,
    "upper case": KEY.upper(),
    "lower case": KEY.lower(),
    "in a bearer header": f"Bearer {KEY}",
    "base64, first alignment": _b64(""),
    "base64, second alignment": _b64("x", after="!"),
    "base64, third alignment": _b64("xy", after="??"),
    "base64 of a user and a password": _b64("user:"),
    "base64 for URLs, first alignment": base64.urlsafe_b64encode(KEY.encode()).decode(),
    "base64 for URLs, second alignment": base64.urlsafe_b64encode(f"x{KEY}>>".encode()).decode(),
    "base64 for URLs, third alignment": base64.urlsafe_b64encode(f"xy{KEY}~".encode()).decode(),
    "base64 without padding": _b64("").rstrip("="),
    "hex": KEY.encode().hex(),
    "hex in upper case": KEY.encode().hex().upper(),
    "percent-encoded": quote(KEY, safe=""),
    "percent-encoded to the last character": "".join(f"%{ord(c):02X}" for c in KEY),
    "percent-encoded twice": quote(quote(KEY, safe=""), safe=""),
    "percent-encoded base64": quote(_b64("a"), safe=""),
    "JSON escapes": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "JSON escapes of some": KEY.replace("/", "\\/").replace("+", "\\u002B"),
    "JSON in JSON": "".join(f"\\\\u{ord(c):04x}" for c in KEY),
    "Python escapes": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "JavaScript escapes": "".join(f"\\u{{{ord(c):x}}}" for c in KEY),
    "HTML": html.escape(KEY),
    "HTML, decimal": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML, hexadecimal": "".join(f"&#x{ord(c):X};" for c in KEY),
    "HTML, by name": KEY.replace("_", "&lowbar;").replace("&d", "&amp;d").replace("+", "&plus;"),
    "Markdown": KEY.replace("_", "\\_").replace("-", "\\-"),
    "mixed": "sk-%50r0j&#43;9fZq\\/3Xw_" + KEY[17:].upper(),
}
"""Forms of the key, which may stand in any text of an answer or of an error."""


def tool_call(name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"index": 0, "id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def events(*pieces: bytes) -> Script:
    return [Send(head() + chunk(b"".join(pieces)) + LAST_CHUNK)]


HALF = len(KEY) // 2
PLACES: dict[str, Script] = {
    "text": answer(f"You are {KEY}."),
    "text of one object": status(
        200,
        json.dumps(
            {
                "choices": [
                    {"message": {"role": "assistant", "content": f"You are {KEY}."}, "finish_reason": "stop"}
                ]
            }
        ).encode(),
    ),
    "two deltas": events(delta(f"You are {KEY[:HALF]}"), delta(f"{KEY[HALF:]}."), finish(), DONE),
    "a delta a character": events(*map(delta, KEY), finish(), DONE),
    "reasoning": events(delta(reasoning_content=f"I am {KEY}"), delta("Hello"), finish(), DONE),
    "reasoning and text": events(
        delta(reasoning_content=f"I am {KEY[:HALF]}"), delta(f"{KEY[HALF:]}, hello"), finish(), DONE
    ),
    "reasoning and text, with blanks": events(
        delta(reasoning_content=f"{KEY[:HALF]} \n"), delta(f"\n\n{KEY[HALF:]}"), finish(), DONE
    ),
    "text and reasoning": events(
        delta(f"I am {KEY[:HALF]}"), delta(reasoning_content=f"{KEY[HALF:]}!"), finish(), DONE
    ),
    "a thought in the text": answer(f"<think>{KEY[:HALF]}</think>{KEY[HALF:]}"),
    "refusal": events(delta(refusal=f"Not with {KEY}"), finish(), DONE),
    "the arguments of a tool": events(
        delta(tool_calls=[tool_call(arguments=json.dumps({"key": KEY}))]), finish("tool_calls"), DONE
    ),
    "arguments in two deltas": events(
        delta(tool_calls=[tool_call(arguments='{"key": "' + KEY[:HALF])]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": KEY[HALF:] + '"}'}}]),
        finish("tool_calls"),
        DONE,
    ),
    "the name of a tool": events(delta(tool_calls=[tool_call(KEY)]), finish("tool_calls"), DONE),
    "the name and the arguments of a tool": events(
        delta(tool_calls=[tool_call(KEY[:HALF], KEY[HALF:])]), finish("tool_calls"), DONE
    ),
    "two calls of tools": events(
        delta(tool_calls=[tool_call(arguments=KEY[:HALF])]),
        delta(tool_calls=[tool_call(arguments=KEY[HALF:]) | {"index": 1, "id": "2"}]),
        finish("tool_calls"),
        DONE,
    ),
    "a key of a tool's own field": events(
        delta(tool_calls=[tool_call() | {"extra": {KEY: [KEY]}}]), finish("tool_calls"), DONE
    ),
    "the finish reason": events(delta("Hello"), finish(KEY), DONE),
    "the model's name": events(
        b'data: {"model": "' + KEY.encode() + b'", "choices": [{"delta": {"content": "Hi"}}]}\n\n',
        finish(),
        DONE,
    ),
    "partial text": [Send(head() + chunk(delta(f"You are {KEY}, and"))), Cut()],
    "partial text that ends in the key": [Send(head() + chunk(delta(f"You are {KEY[:-3]}"))), Cut()],
    "text cut off in the key": events(delta(f"You are {KEY[:-3]}"), finish("length"), DONE),
    "an error event": events(
        delta("Hello"), b'data: {"error": {"message": "bad ' + KEY.encode() + b'"}}\n\n'
    ),
    "the type of an error": events(
        b'data: {"error": {"type": "' + KEY.encode() + b'", "message": "no"}}\n\n'
    ),
    "the code of an error": status(400, json.dumps({"error": {"code": KEY, "message": "no"}}).encode()),
    "an error's message": status(422, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()),
    "an error as a plain text": status(500, f"bad key {KEY}".encode()),
    "an error that is a list": status(
        422, json.dumps({"detail": [{"loc": ["header"], "input": KEY}]}).encode()
    ),
    "headers": status(200, b"", **{"x-echo": KEY, "x-request-id": KEY, "retry-after": KEY}),
    "a redirect": status(302, location=f"https://elsewhere.example/?key={KEY}"),
    "the status line": [Send(f"HTTP/1.1 500 {KEY}\r\ncontent-length: 0\r\n\r\n".encode())],
    "what is no HTTP": [Send(f"{KEY}\r\n\r\n".encode()), Cut()],
    "a header that is none": [Send(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()), Cut()],
    "a long header that is none": [Send(f"HTTP/1.1 200 OK\r\n{'y' * 150}{KEY}{KEY}\r\n\r\n".encode()), Cut()],
}
PLACES |= {
    f"an error cut at {500 - shown} characters of the message": status(
        422, json.dumps({"error": {"message": "x" * (500 - shown) + KEY}}).encode()
    )
    for shown in (6, 18, len(KEY) - 1)
}
PLACES |= {
    f"an error cut inside {form}": status(
        422, json.dumps({"error": {"message": "x" * 470 + FORMS[form] * 3}}).encode()
    )
    for form in ("base64, second alignment", "JSON escapes", "HTML, decimal", "percent-encoded", "hex")
}
ROWS: dict[str, Script] = (
    PLACES
    | {f"in the text: {name}": answer(f"You are ({form}).") for name, form in FORMS.items()}
    | {
        f"in an error: {name}": status(422, json.dumps({"error": {"message": f"no: ({form})"}}).encode())
        for name, form in FORMS.items()
    }
)


@pytest.mark.parametrize("provider", ["openai", "autonomous"])
def test_no_echo_reaches_an_artefact(provider: str, cli: Cli) -> None:
    """One run of all rows: the output, its log, its summary, and what was printed."""
    with in_thread(FaultServer(lambda request: ROWS[request.messages[-1]["content"]])) as server:
        job = {
            "provider": provider,
            "model": "llama",
            "prompts": [{"id": f"{number}", "prompt": name} for number, name in enumerate(ROWS)],
            "api_key_env": "MY_KEY",
            "base_url": server.url,
            "retries": {"max_attempts": 1},
            "timeouts": {"first_byte": "5s"},
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        ended = cli("run", "job.yaml", "--json", "-v", MY_KEY=KEY)
    output = cli.folder / "output" / "job.jsonl"
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(lines) == len(ROWS), ended.stderr
    rows = dict(enumerate(ROWS))
    leaks = {rows[int(line["id"])]: line for line in lines if leaks_in(json.dumps(line, ensure_ascii=False))}
    assert leaks == {}
    files = {path.name: path.read_text("utf-8") for path in output.parent.iterdir() if path.is_file()}
    assert {name: leaks_in(text) for name, text in files.items()} == {name: [] for name in files}
    assert leaks_in(ended.stdout) == leaks_in(ended.stderr) == []
    unmarked = [
        rows[int(line["id"])]
        for line in lines
        if "…" in json.dumps(line, ensure_ascii=False) and not line["redacted"]
    ]
    assert [name for name in unmarked if "xxx" not in str(ROWS[name])] == []


def leaks_in(text: str) -> list[str]:
    """The forms of the key, and long parts of it, that a text holds; escapes are undone by other means."""
    found = []
    for _ in range(5):
        low = text.lower()
        needles = [
            KEY[:14],
            KEY[-14:],
            KEY.encode().hex()[:28],
            KEY.encode().hex()[-28:],
            *(_b64(before)[4:20] for before in ("", "x", "xy")),
        ]
        found += [needle for needle in needles if needle.lower() in low]
        text = re.sub(r"\\+u\{?([0-9a-f]{2,4})\}?", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"\\+x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)
        text = html.unescape(unquote(text)).replace("\\", "")
    return found


def test_a_result_is_marked_where_an_earlier_attempt_held_a_key(cli: Cli) -> None:
    echo, seen = status(503, f"bad {KEY}".encode()), set[str]()

    def by_prompt(received: Received) -> Script:
        name = received.messages[-1]["content"]
        is_first = name not in seen
        seen.add(name)
        if is_first and name != "clean":
            return echo
        return status(400, b"no") if name == "failed" else answer("Hello")

    with in_thread(FaultServer(by_prompt)) as server:
        job = {
            "provider": "openai",
            "model": "m",
            "prompts": [{"id": name, "prompt": name} for name in ("clean", "repaired", "failed")],
            "concurrency": 1,
            "retries": {"base": 0},
            "api_key_env": "MY_KEY",
            "base_url": server.url,
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        cli("run", "job.yaml", MY_KEY=KEY)
    lines = (cli.folder / "output" / "job.jsonl").read_text("utf-8").splitlines()
    marked = {line["id"]: line["redacted"] for line in map(json.loads, lines)}
    assert marked == {"clean": False, "repaired": False, "failed": True}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_removed_and_other_text_stays(form: str) -> None:
    text = f"Before ({FORMS[form]}) after."
    reply = Credentials(KEY).redacted(Reply(text, Verdict.COMPLETE))
    assert reply.redacted
    assert re.fullmatch(r"Before \((Bearer )?.{0,24}….{0,8}\) after\.", reply.text)


CLEAN: dict[str, str] = {
    "prose": "The ferry crosses the sound twice a day. It carries cars and cattle.",
    "code": 'printf("%d %s\\n", a & b, "\\u0041\\x42"); // 100 % of &amp; and &#65;',
    "LaTeX": "\\(\\frac{a}{b}\\) \\& \\textbf{c} 50\\%",
    "another key": "sk-Another0j+9fZq/3Xw_7bK2mN8pL5v",
    "the beginning of the key": KEY[:11],
    "base64 of another text": base64.b64encode(b"The ferry crosses the sound twice a day.").decode(),
    "what is not ASCII": "Ärger mit dem Schlüssel: İstanbul, 東京, 🎈",
}


@pytest.mark.parametrize("name", CLEAN)
def test_other_texts_are_not_changed(name: str) -> None:
    reply = Reply(CLEAN[name], Verdict.COMPLETE, reasoning=CLEAN[name], served_by="m")
    assert Credentials(KEY).redacted(reply) is reply
    cut = Reply(CLEAN[name], Verdict.LENGTH)
    assert Credentials(KEY).redacted(cut) is cut


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"HTTP-Referer": "https://example.org/my-application"}, "See https://example.org/my-application"),
        ({"x-title": "a summariser of documents"}, "I am a summariser of documents."),
    ],
)
def test_a_header_that_is_not_secret_is_not_redacted(headers: Mapping[str, str], text: str) -> None:
    reply = Reply(text, Verdict.COMPLETE)
    assert Credentials(KEY, headers).redacted(reply) is reply


async def test_secrets_that_are_words_are_redacted_only_in_messages() -> None:
    known = Credentials("ollama", {}, ("hunter2",))
    reply = Reply("ollama runs here, said hunter2.", Verdict.COMPLETE)
    assert known.redacted(reply) is reply
    failure = known.redacted(Failure("auth", "HTTP 401: bad key ollama or aHVudGVyMg=="))
    assert (failure.message, failure.redacted) == ("HTTP 401: bad key … or …", True)


def test_tokens_with_their_bytes_go_where_the_text_held_a_key() -> None:
    tokens = [{"token": part, "bytes": list(part.encode())} for part in (KEY[:5], KEY[5:])]
    reply = Credentials(KEY).redacted(Reply(KEY, Verdict.COMPLETE, logprobs={"content": tokens}))
    assert (reply.text, reply.logprobs) == ("…", None)


def test_an_answer_with_an_unknown_finish_reason_is_searched_too() -> None:
    answer = Reply(f"It is {KEY}.", Verdict.COMPLETE, reasoning=f"Hm, {KEY}?")
    failure = Failure(
        "unknown_finish", "no word of ours", finished=True, partial_text=answer.text, answer=answer
    )
    clean = Credentials(KEY).redacted(failure)
    assert clean.redacted
    assert clean.partial_text == "It is …."
    assert clean.answer is not None
    assert (clean.answer.text, clean.answer.reasoning) == ("It is ….", "Hm, …?")
    word = Credentials(KEY).redacted(Failure("unknown_finish", "no word of ours", finish_reason=KEY))
    assert (word.finish_reason, word.redacted) == ("…", True)
    said = Failure(
        "unknown_finish", "no word of ours", finish_reason="done", answer=Reply("It.", Verdict.COMPLETE)
    )
    assert Credentials(KEY).redacted(said) is said


@pytest.mark.parametrize(
    "text", ["\\" * 300_000 + "a", "%" * 300_000, "&" * 300_000, "&a" * 150_000, "\\u" * 99_999]
)
def test_a_hostile_text_takes_no_time(text: str) -> None:
    known, began = Credentials(KEY), time.process_time()
    for outcome in (Reply(text, Verdict.LENGTH), Reply(f"{text}{KEY}", Verdict.COMPLETE)):
        known.redacted(outcome)
    known.redacted(Failure("truncated", "no", partial_text=text))
    assert time.process_time() - began < 5


def test_overlapping_spans_are_one_mark() -> None:
    assert without("abcdefgh", [(1, 4), (2, 6), (4, 5)]) == "a…gh"
    assert without("abcdefgh", [(0, 8)]) == "…"
    assert without("abcd", []) == "abcd"


def test_a_secret_that_is_not_ascii_is_found_in_the_bytes_that_urls_write() -> None:
    secrets = Secrets(["schlüssel-für-alles-2024"])
    for form in ("Schlüssel-Für-Alles-2024", quote("schlüssel-für-alles-2024"), "SCHLÜSSEL-FÜR-ALLES-2024"):
        assert without(f"<{form}>", secrets.spans(f"<{form}>")) == "<…>"
