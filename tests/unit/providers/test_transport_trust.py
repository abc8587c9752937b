"""Proxies, certificates and limits: the routes of a request and its trusted servers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from batch.records import Failure
from batch.testing import (
    Cut,
    FaultServer,
    Pause,
    Send,
    chunk,
    delta,
    finish,
    head,
)
from tests.support.proxy_support import proxy_to
from tests.support.transport_support import (
    CA,
    GOOD,
    KEY,
    PASSWORD,
    TRUSTING,
    ask,
    serving_tls,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Script
    from tests.conftest import Command


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_paths")]


# Proxies


async def test_an_http_proxy_is_asked_for_the_whole_url() -> None:
    async with FaultServer(GOOD) as proxy:
        outcome = await ask("http://endpoint.invalid/v1", proxy=proxy.url.replace("//", f"//me:{PASSWORD}@"))
    assert text_of(outcome) == "Hello"
    (received,) = proxy.requests
    assert received.target == "http://endpoint.invalid/v1/chat/completions"
    credentials = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert received.headers["proxy-authorization"] == f"Basic {credentials}"


async def test_a_tunnel_shows_the_proxy_nothing_and_the_endpoint_no_proxy_s_password() -> None:
    async with FaultServer(GOOD, tls=serving_tls()) as server, proxy_to(server.url) as proxy:
        with_password = proxy.url.replace("//", f"//me:{PASSWORD}@")
        outcome = await ask("https://endpoint.test/v1", proxy=with_password, tls=TRUSTING)
    assert text_of(outcome) == "Hello"
    (head_of_tunnel,) = proxy.asked
    assert head_of_tunnel.startswith(b"CONNECT endpoint.test:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic " in head_of_tunnel.lower()
    assert KEY.encode() not in head_of_tunnel + proxy.carried
    (received,) = server.requests
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert "proxy-authorization" not in received.headers


async def test_a_tunnel_does_not_weaken_the_certificate_s_check() -> None:
    async with FaultServer(GOOD, tls=serving_tls()) as server, proxy_to(server.url) as proxy:
        outcome = await ask("https://another.test/v1", proxy=proxy.url, tls=TRUSTING)
    assert isinstance(outcome, Failure)
    assert (outcome.code, server.requests) == ("tls", [])


# Certificates and limits of the whole command


async def test_a_custom_authority_is_trusted_by_the_usual_variable(
    promptjobs: Command, tmp_path: Path
) -> None:
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with FaultServer(GOOD, tls=serving_tls()) as server:
        job = {"provider": "openai", "model": "m", "prompt": "?", "base_url": server.url}
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job))
        ended = await promptjobs("run", "job.yaml")
        assert (ended.code, server.requests) == (7, [])
        assert "certificate" in ended.stderr
        ended = await promptjobs("run", "job.yaml", env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
        assert (ended.code, len(server.requests)) == (0, 1)


async def test_with_few_descriptors_a_run_completes_on_fewer_connections(promptjobs: Command) -> None:
    slow: Script = [Send(head()), Pause(0.05), Send(chunk(delta("Hello") + finish())), Cut()]
    job: dict[str, Any] = {
        "provider": "openai",
        "model": "m",
        "prompts": [{"id": str(number), "prompt": "?"} for number in range(120)],
        "concurrency": 100,
    }
    async with FaultServer(slow) as server:
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job | {"base_url": server.url}))
        command = promptjobs.arguments("run", "job.yaml")
        limited = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *command]
        with anyio.fail_after(60):
            ended = await anyio.run_process(
                limited, cwd=promptjobs.folder, env=promptjobs.environment, check=False
            )
    assert ended.returncode == 0, ended.stderr.decode()
    assert len(server.requests) == 120
    lines = (promptjobs.folder / "output" / "job.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"succeeded"}
