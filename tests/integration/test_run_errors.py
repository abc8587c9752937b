"""The errors that people run into first: each names the request, the status and what to try.

The words are in ``tests/golden/messages/run.json``; codes, exit codes and places are here.
"""

from __future__ import annotations

import json
import shlex
import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from batch.testing import FaultServer, answer, status
from tests.support import job_files
from tests.support.cli_support import Cli, in_thread
from tests.support.golden_messages import check_words
from tests.support.raw_server import raw_server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from batch.testing import Received, Script
    from tests.conftest import Ended

KEY = "sk-Pr0j9fZq3Xw7bK2mN8pL5vR"
NOT_FOUND = status(404, b"404: Not Found", content_type="text/plain")
NO_MODEL = status(
    404, json.dumps({"error": {"message": "no model `mistrall`", "code": "model_not_found"}}).encode()
)
UNKNOWN = status(404, json.dumps({"error": {"message": "no such thing", "type": "not_found_error"}}).encode())
NO_KEY = status(401, json.dumps({"error": {"message": "a key is required"}}).encode())
BAD_KEY = status(401, json.dumps({"error": {"message": "the key is wrong"}}).encode())
PAGE = status(200, b"<html><body>Welcome", content_type="text/html")

SERVED: dict[str, tuple[Script, str, dict[str, Any], str]] = {
    "an address without /v1": (NOT_FOUND, "", {}, "bad_request"),
    "an address with an invalid path": (NOT_FOUND, "/api/v1", {}, "bad_request"),
    "a version in the middle of the path": (NOT_FOUND, "/v1beta/openai/", {}, "bad_request"),
    "an address that takes no POST": (status(405), "", {}, "bad_request"),
    "a web page in place of an API": (PAGE, "", {}, "not_sse"),
    "a redirect": (status(301, location="/v2/"), "/v1", {}, "redirect"),
    "no key": (NO_KEY, "/v1", {}, "auth"),
    "an invalid key": (BAD_KEY, "/v1", {"api_key_env": "MY_KEY"}, "auth"),
    "an invalid key in a header": (BAD_KEY, "/v1", {"headers": {"x-api-key": "${MY_KEY}"}}, "auth"),
    "a model that the server does not have": (NO_MODEL, "/v1", {}, "bad_request"),
    "a path or a model that the server does not have": (UNKNOWN, "/v1", {}, "bad_request"),
}
"""Situation → the server's script, the path of the base URL, further keys of the job, the code."""


def write_job(cli: Cli, base_url: str, **keys: Any) -> None:
    job = {
        "model": "mistrall",
        "prompts": [{"id": "one", "prompt": "say one"}, {"id": "two", "prompt": "say two"}],
        "retries": {"max_attempts": 2, "base": 0},
    }
    job_files.write_job(cli.folder, base_url, **job | keys)


def check_parked(ended: Ended, situation: str, code: str, cli: Cli) -> None:
    """The endpoint is parked with the code, which ends the run: the words are said once, with the log."""
    assert ended.code == 7
    reasons = ended.summary["reasons"]
    assert [reason.partition(": ")[2].partition(": ")[0] for reason in reasons] == [code]
    lines = ended.stderr.splitlines()
    end = [line for line in lines if line.startswith("  ")]
    check_words("run", situation, end)
    assert not any("Nothing more is sent" in line for line in lines)
    log = (cli.folder / "output" / "job.jsonl.log").read_text(encoding="utf-8")
    assert log.count(reasons[0].partition(": ")[2].partition(": ")[2]) == 1
    assert "  log: output/job.jsonl.log" in end


@pytest.mark.parametrize("situation", SERVED)
def test_a_server_that_refuses(situation: str, cli: Cli) -> None:
    script, path, more, code = SERVED[situation]
    with in_thread(FaultServer(script)) as server:
        write_job(cli, server.url + path, **more)
        ended = cli("run", "job.yaml", "--json", MY_KEY=KEY)
    check_parked(ended, situation, code, cli)
    assert KEY not in ended.stderr


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections: it is bound, so that no other process listens on it."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_server_that_does_not_run(cli: Cli, closed_port: int) -> None:
    write_job(cli, f"http://127.0.0.1:{closed_port}/v1")
    check_parked(cli("run", "job.yaml", "--json"), "a server that does not run", "connect", cli)


def test_an_unknown_host(cli: Cli) -> None:
    write_job(cli, "http://no-such-host.invalid/v1")
    check_parked(cli("run", "job.yaml", "--json"), "an unknown host", "connect", cli)


def test_a_proxy_that_does_not_run(cli: Cli, closed_port: int) -> None:
    write_job(cli, "http://no-such-host.invalid/v1", proxy=f"http://127.0.0.1:{closed_port}")
    check_parked(cli("run", "job.yaml", "--json"), "a proxy that does not run", "connect", cli)


def test_a_certificate_that_is_not_trusted(cli: Cli) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with in_thread(FaultServer(answer("Hello"), tls=context)) as server:
        write_job(cli, f"{server.url}/v1")
        ended = cli("run", "job.yaml", "--json")
    check_parked(ended, "a certificate that is not trusted", "tls", cli)


def test_https_to_a_server_of_plain_http(cli: Cli) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    with in_thread(raw_server(refuse)) as port:
        write_job(cli, f"https://127.0.0.1:{port}/v1")
        ended = cli("run", "job.yaml", "--json")
    check_parked(ended, "https to a server of plain http", "tls", cli)


def test_https_to_a_server_that_hangs_up(cli: Cli) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    with in_thread(raw_server(hang_up)) as port:
        write_job(cli, f"https://127.0.0.1:{port}/v1")
        ended = cli("run", "job.yaml", "--json")
    check_parked(ended, "https to a server that hangs up", "connect", cli)
    assert "it may not speak https" in ended.stderr


NGINX = b"<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>"
NGINX_HEAD = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n"
GO = b"Client sent an HTTP request to an HTTPS server."
HINT = "Does the server speak https? Then write `https://` in `base_url`."
ENCRYPTED: dict[str, tuple[bytes, str]] = {
    "an alert": (b"\x15\x03\x01\x00\x02\x02\x46", HINT),
    "the page of nginx": (NGINX_HEAD + NGINX, HINT),
    "the words of Go": (b"HTTP/1.0 400 Bad Request\r\n\r\n" + GO, GO.decode()),
    "nothing": (b"", HINT),
}


@pytest.mark.parametrize("reply", ENCRYPTED)
def test_plain_http_to_a_server_of_https(reply: str, cli: Cli) -> None:
    data, hint = ENCRYPTED[reply]

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        writer.close()

    with in_thread(raw_server(refuse)) as port:
        write_job(cli, f"http://127.0.0.1:{port}/v1")
        ended = cli("run", "job.yaml", "-q")
    assert ended.code != 0
    assert hint in ended.stderr
    check_words("run", f"plain http to a server of https: {reply}", ended.stderr)


def test_plain_http_to_a_real_server_of_https(cli: Cli) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with in_thread(FaultServer(answer("Hello"), tls=context)) as server:
        write_job(cli, f"{server.url.replace('https:', 'http:')}/v1")
        ended = cli("run", "job.yaml", "-q")
    assert ended.code != 0
    assert HINT in ended.stderr


def test_a_404_after_an_answer_asks_for_the_model_and_not_for_the_address(cli: Cli) -> None:
    def choose(request: Received) -> Script:
        return NOT_FOUND if "two" in request.messages[-1]["content"] else answer("Hello")

    with in_thread(FaultServer(choose)) as server:
        write_job(cli, server.url, concurrency=1)
        ended = cli("run", "job.yaml", "-q")
    assert ended.code == 1
    assert "/v1" not in ended.stderr
    check_words("run", "a 404 after an answer", ended.stderr)


def test_one_of_two_targets_is_parked_while_the_other_goes_on(cli: Cli, closed_port: int) -> None:
    models = [
        {"id": "down", "model": "mistrall", "base_url": f"http://127.0.0.1:{closed_port}/v1"},
        {"id": "up", "model": "mistrall"},
    ]
    with in_thread(FaultServer(answer("Hello"))) as server:
        write_job(cli, f"{server.url}/v1", models=models, concurrency=1)
        job = json.loads((cli.folder / "job.yaml").read_text())
        del job["model"]
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        ended = cli("run", "job.yaml", "--json")
    assert ended.code == 7
    (notice,) = [line for line in ended.stderr.splitlines() if "Nothing more is sent to down" in line]
    assert "cannot connect: Connection refused" in notice, "the user need not wait for the end to read why"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://me:${PASSWORD}@{host}/v1?key=${MY_KEY}&api-version=2024",
        "http://{host}/${MY_KEY}/v1",
        "${BASE_URL}",
    ],
)
def test_no_secret_of_an_address_is_shown(base_url: str, cli: Cli) -> None:
    with in_thread(FaultServer(by_prompt)) as server:
        host = server.url.removeprefix("http://")
        write_job(cli, base_url.replace("{host}", host))
        env = {
            "MY_KEY": KEY,
            "PASSWORD": "hunter-2-hunter",
            "BASE_URL": f"http://me:hunter-2-hunter@{host}/{KEY}/v1?key={KEY}",
        }
        ended = cli("run", "job.yaml", "--json", **env)
    assert ended.code == 1
    output = cli.folder / "output" / "job.jsonl"
    failed = next(line for line in map(json.loads, output.read_text().splitlines()) if line["error"])
    assert failed["error"]["code"] == "bad_request"
    assert failed["error"]["message"].startswith(f"POST http://{host}/")
    assert failed["error"]["message"].endswith(" returned 400 Bad Request: no")
    assert failed["redacted"] is False, "the server has echoed nothing"
    texts = [path.read_text() for path in output.parent.iterdir() if path.is_file()]
    for text in (*texts, ended.stdout, ended.stderr):
        assert KEY not in text
        assert "hunter" not in text


def by_prompt(request: Received) -> Script:
    """Refuse the first prompt alone."""
    return status(400, b"no") if "one" in request.messages[-1]["content"] else answer("Hello")


def endings(ended: Ended) -> list[str]:
    return [line for line in ended.stderr.splitlines() if line.startswith(("job: ", "  "))]


def test_the_end_names_one_request_to_look_at(cli: Cli) -> None:
    with in_thread(FaultServer(by_prompt)) as server:
        write_job(cli, f"{server.url}/v1")
        ended = cli("run", "job.yaml")
        assert ended.code == 1
        check_words("run", "a request that the server rejects", endings(ended))
        shown = cli(*shlex.split(ended.stderr.split("`")[-2])[1:])
        assert (shown.code, "400" in shown.stdout) == (0, True)


def test_the_end_names_retry_where_a_retry_may_help(cli: Cli) -> None:
    def choose(request: Received) -> Script:
        is_bad = request.messages[-1]["content"].startswith("bad")
        return status(500, b"oops") if is_bad else answer("Hello")

    prompts = [{"id": f"-{i} ok", "prompt": "say"} for i in range(9)]
    prompts += [{"id": f"-{i} bad", "prompt": f"bad {i}"} for i in range(7)]
    with in_thread(FaultServer(choose)) as server:
        write_job(cli, f"{server.url}/v1", prompts=prompts, concurrency=1)
        ended = cli("run", "job.yaml")
        assert ended.code == 1
        check_words("run", "seven requests with a server error", endings(ended))
        commands = ended.stderr.split("`")[1::2]
        shown = cli(*shlex.split(commands[0])[1:])
        assert (shown.code, "500" in shown.stdout) == (0, True)
        again = cli(*shlex.split(commands[1])[1:], "-o", "other.jsonl")
    assert again.code == 1
    assert "`promptjobs retry job.yaml` with the same options sends" in again.stderr
