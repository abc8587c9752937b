"""Proxies from the environment: for which addresses, which of them are trusted, and what they see."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batch.app.run.endpoints import Address
from batch.app.setup import trust
from batch.app.setup.env_proxy import proxy_for
from batch.app.setup.environment import Environment
from batch.errors import UntrustedKeyError, UsageError
from batch.jobfile import load_mapping
from batch.jobfile.job import Model
from batch.testing import FaultServer
from tests.support.cli_support import Cli, in_thread
from tests.support.proxy_support import proxy_to
from tests.support.transport_support import CA, GOOD, KEY, serving_tls

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Command


pytestmark = pytest.mark.anyio

PROXY = "http://proxy.example:3128"
BOTH = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}


@pytest.mark.parametrize(
    ("base_url", "variables", "found"),
    [
        ("https://api.example/v1", {"HTTPS_PROXY": PROXY}, (PROXY, "HTTPS_PROXY")),
        ("https://api.example/v1", {"https_proxy": PROXY}, (PROXY, "https_proxy")),
        (
            "https://api.example/v1",
            {"https_proxy": PROXY, "HTTPS_PROXY": "http://x:1"},
            (PROXY, "https_proxy"),
        ),
        ("https://api.example/v1", {"https_proxy": "", "HTTPS_PROXY": PROXY}, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "proxy.example:3128"}, (PROXY, "HTTPS_PROXY")),
        ("https://api.example/v1", {"HTTP_PROXY": PROXY}, None),
        ("http://api.example/v1", {"HTTPS_PROXY": PROXY}, None),
        ("http://api.example/v1", {"HTTP_PROXY": PROXY}, (PROXY, "HTTP_PROXY")),
        ("http://api.example/v1", {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None),
        ("http://api.example/v1", {"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, (PROXY, "http_proxy")),
        ("https://api.example/v1", {"ALL_PROXY": PROXY}, None),
        ("https://127.0.0.1/v1", BOTH, None),
        ("http://localhost:8000/v1", BOTH, None),
        ("http://[::1]:8000/v1", BOTH, None),
    ],
)
def test_the_variable_of_the_scheme_is_read(
    base_url: str, variables: dict[str, str], found: tuple[str, str] | None
) -> None:
    proxy = proxy_for(base_url, variables)
    assert (None if proxy is None else (proxy.url, proxy.variable)) == found


@pytest.mark.parametrize(
    ("no_proxy", "base_url", "is_exempt"),
    [
        ("*", "https://api.example", True),
        ("api.example", "https://api.example/v1", True),
        ("API.example", "https://api.EXAMPLE/v1", True),
        (".example", "https://api.example", True),
        ("*.example", "https://api.example", True),
        ("example", "https://api.example", True),
        ("pi.example", "https://api.example", False),
        ("other.example, api.example", "https://api.example", True),
        ("other.example api.example", "https://api.example", True),
        ("api.example:443", "https://api.example", True),
        ("api.example:8443", "https://api.example", False),
        ("api.example:8443", "https://api.example:8443", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:8000", True),
        ("fd00::/8", "https://[fd00::1]:8000", True),
        ("[fd00::1]", "https://[fd00::1]", True),
        ("", "https://api.example", False),
        (" , ", "https://api.example", False),
        ("api.example.", "https://api.example", True),
        ("api.example", "https://api.example.", True),
    ],
)
def test_no_proxy_names_hosts_domains_ports_and_networks(
    no_proxy: str, base_url: str, is_exempt: bool
) -> None:
    variables = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert (proxy_for(base_url, variables) is None) == is_exempt


def address(base_url: str, environment: Environment, **settings: object) -> Address:
    return Address(replace(Model("m", "openai", "m", base_url), **settings), environment)  # type: ignore[arg-type]


def test_an_http_address_needs_a_proxy_that_is_trusted(tmp_path: Path) -> None:
    environment = Environment({"HTTP_PROXY": PROXY, "MY_KEY": KEY}, tmp_path)
    with pytest.raises(UntrustedKeyError, match=f"promptjobs trust HTTP_PROXY {PROXY};"):
        address("http://api.example/v1", environment)
    trust.record(environment.trust_store, "MY_KEY", "http://api.example")
    with pytest.raises(UntrustedKeyError, match="HTTP_PROXY"):
        address("http://api.example/v1", environment, api_key_env="MY_KEY")
    trust.record(environment.trust_store, "http_proxy", PROXY)
    found = address("http://api.example/v1", environment, api_key_env="MY_KEY")
    assert (found.proxy, found.credentials.api_key) == (PROXY, KEY)


def test_a_proxy_that_is_trusted_for_one_key_reads_no_other(tmp_path: Path) -> None:
    environment = Environment({"HTTP_PROXY": PROXY, "MY_KEY": KEY, "OTHER": "another"}, tmp_path)
    for name in ("MY_KEY", "OTHER"):
        trust.record(environment.trust_store, name, "http://api.example")
    trust.record(environment.trust_store, "OTHER", PROXY)
    assert address("http://api.example/v1", environment, api_key_env="OTHER").proxy == PROXY
    with pytest.raises(UntrustedKeyError, match=f"MY_KEY is not trusted for {PROXY}"):
        address("http://api.example/v1", environment, api_key_env="MY_KEY")


def test_a_proxy_s_password_is_a_secret_and_is_not_printed(tmp_path: Path) -> None:
    environment = Environment({"HTTPS_PROXY": "http://me:pw-7163-and-more@proxy.example:3128"}, tmp_path)
    found = address("https://api.example/v1", environment)
    assert found.credentials.secrets == ("pw-7163-and-more",)
    assert found.notices == [f"requests to https://api.example go through the proxy {PROXY} (HTTPS_PROXY)"]


def test_the_value_of_a_variable_in_a_host_is_in_neither_a_notice_nor_an_error(tmp_path: Path) -> None:
    host = "a-host-of-my-own.example"
    variables = {"HOST": host, "HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}
    environment = Environment(variables, tmp_path)
    for scheme in ("http", "https"):
        trust.record(environment.trust_store, "HOST", f"{scheme}://{host}")
    assert host not in str(address("https://${HOST}/v1", environment).notices)
    with pytest.raises(UntrustedKeyError, match="HTTP_PROXY sends requests for") as caught:
        address("http://${HOST}/v1", environment)
    assert host not in str(caught.value)


@pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "http://", "proxy example"])
def test_a_variable_without_an_address_is_named(value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'\$\{HTTPS_PROXY\}' is not an http or https URL") as caught:
        address("https://api.example/v1", Environment({"HTTPS_PROXY": value}, tmp_path))
    assert value not in str(caught.value)


JOB = {"provider": "openai", "base_url": "https://api.example/v1", "model": {"model": "m"}, "prompt": "hi"}


@pytest.mark.parametrize(
    ("job", "own", "proxy"),
    [
        ({}, {}, PROXY),
        ({"proxy": None}, {}, None),
        ({}, {"proxy": None}, None),
        ({"proxy": "http://job.example:1"}, {}, "http://job.example:1"),
        ({"proxy": "http://job.example:1"}, {"proxy": None}, None),
        ({"proxy": None}, {"proxy": "http://own.example:2"}, "http://own.example:2"),
    ],
)
def test_null_turns_it_off_and_a_job_s_own_goes_first(
    job: dict[str, object], own: dict[str, object], proxy: str | None, tmp_path: Path
) -> None:
    written = {**JOB, **job, "model": {"model": "m", **own}}
    (model,) = load_mapping(written, tmp_path).models
    assert Address(model, Environment(BOTH, tmp_path)).proxy == proxy


async def test_a_run_uses_it_reports_it_once_and_reads_no_netrc(promptjobs: Command, tmp_path: Path) -> None:
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with FaultServer(GOOD, tls=serving_tls()) as server, proxy_to(server.url) as proxy:
        (promptjobs.folder / "home" / ".netrc").write_text(
            "machine endpoint.test login me password from-netrc\ndefault login me password from-netrc\n"
        )
        (promptjobs.folder / "home" / ".netrc").chmod(0o600)
        job = {
            "provider": "openai",
            "base_url": "https://endpoint.test/v1",
            "model": "m",
            "prompts": [{"id": str(number), "prompt": "hi"} for number in range(3)],
        }
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job))
        env = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "HTTPS_PROXY": proxy.url}
        ended = await promptjobs("run", "job.yaml", "-v", env=env)
        assert (ended.code, len(server.requests)) == (0, 3), ended.stderr
        assert ended.stderr.count(f"go through the proxy {proxy.url} (HTTPS_PROXY)") == 1
        assert {head.partition(b"\r\n")[0] for head in proxy.asked} == {b"CONNECT endpoint.test:443 HTTP/1.1"}
        assert b"authorization" not in b"".join(proxy.asked).lower()
        assert not [
            name for request in server.requests for name in request.headers if "authorization" in name
        ]
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job | {"name": "direct", "proxy": None}))
        ended = await promptjobs("run", "job.yaml", "-v", env=env)
        assert (ended.code, len(server.requests)) == (7, 3)


def test_an_http_address_is_refused_before_anything_is_sent(cli: Cli) -> None:
    with in_thread(FaultServer(GOOD)) as proxy, in_thread(FaultServer(GOOD)) as server:
        job = {"provider": "openai", "base_url": "http://endpoint.test/v1", "model": "m", "prompt": "hi"}
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        env = {"HTTP_PROXY": proxy.url}
        ended = cli("run", "job.yaml", **env)
        assert (ended.code, proxy.requests) == (2, [])
        command = f"promptjobs trust HTTP_PROXY {proxy.url}"
        assert command in ended.stderr
        assert cli(*command.split()[1:], **env).code == 0
        ended = cli("run", "job.yaml", **env)
        assert (ended.code, len(proxy.requests)) == (0, 1)
        (cli.folder / "job.yaml").write_text(json.dumps(job | {"name": "here", "base_url": server.url}))
        ended = cli("run", "job.yaml", **env)
        assert (ended.code, len(proxy.requests), len(server.requests)) == (0, 1, 1)


PASSWORD_PROXY = "http://me:a-password@proxy.example:3128"


@pytest.mark.parametrize(
    ("job", "env", "said"),
    [
        ({}, {}, ""),
        (
            {},
            {"HTTPS_PROXY": PASSWORD_PROXY},
            "requests to https://api.example go through the proxy http://proxy.example:3128 (HTTPS_PROXY)\n",
        ),
        ({}, {"HTTPS_PROXY": PASSWORD_PROXY, "NO_PROXY": "api.example"}, ""),
        ({"proxy": None}, {"HTTPS_PROXY": PASSWORD_PROXY}, ""),
        (
            {"proxy": "http://own.example:8080"},
            {"HTTPS_PROXY": PASSWORD_PROXY},
            "requests to https://api.example go through the proxy http://own.example:8080 (`proxy`)\n",
        ),
        (
            {"base_url": "https://${HOST_OF_MINE}/v1"},
            {"HTTPS_PROXY": PASSWORD_PROXY},
            "job.yaml:1:36: warning: base_url: the environment variable HOST_OF_MINE is not set\n",
        ),
        ({"base_url": "http://127.0.0.1:1/v1"}, {"HTTP_PROXY": PASSWORD_PROXY}, ""),
        ({"base_url": "local"}, {"HTTPS_PROXY": PASSWORD_PROXY}, ""),
    ],
)
def test_validate_names_the_proxies_in_use(
    cli: Cli, job: dict[str, Any], env: dict[str, str], said: str
) -> None:
    usual = {"provider": "openai", "base_url": "https://api.example/v1", "model": "m", "prompt": "hi"}
    (cli.folder / "job.yaml").write_text(json.dumps(usual | job))
    ended = cli("validate", "job.yaml", **env)
    assert (ended.code, ended.stderr.split("job.yaml: no errors")[0]) == (0, said)


def test_validate_says_that_others_can_read_a_key_file_and_passes_over_one_that_is_not_there(
    cli: Cli,
) -> None:
    key = cli.folder / "my.key"
    job = {"provider": "openai", "base_url": "https://api.example/v1", "model": "m", "prompt": "hi"}
    (cli.folder / "job.yaml").write_text(json.dumps(job | {"api_key_file": "my.key"}))
    for mode, is_said in ((None, False), (0o644, True), (0o600, False)):
        if mode is not None:
            key.write_text(KEY)
            key.chmod(mode)
        ended = cli("validate", "job.yaml")
        assert (ended.code, f"others can read the key file {key}" in ended.stderr) == (0, is_said)
        assert KEY not in ended.stderr


def test_a_key_file_that_others_can_read_is_a_warning(cli: Cli) -> None:
    with in_thread(FaultServer(GOOD)) as server:
        key = cli.folder / "my.key"
        key.write_text(KEY)
        job = {
            "provider": "openai",
            "base_url": server.url,
            "model": "m",
            "prompt": "hi",
            "api_key_file": "my.key",
        }
        for name, mode, is_said in (("a", 0o644, True), ("b", 0o640, True), ("c", 0o600, False)):
            key.chmod(mode)
            (cli.folder / "job.yaml").write_text(json.dumps(job | {"name": name}))
            ended = cli("run", "job.yaml", "-q")
            assert (ended.code, f"others can read the key file {key}" in ended.stderr) == (0, is_said)
