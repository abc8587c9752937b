"""Which key may go where: pairs everybody knows, pairs a user has recorded, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.app.setup import trust
from batch.errors import UntrustedKeyError, UsageError
from tests.support.chat_server import ChatServer
from tests.support.cli_support import Cli, served

SECRET = "sk-do-not-tell-7163"

OPENAI_ITSELF = [
    "https://api.openai.com",
    "https://api.openai.com/v1",
    "https://api.openai.com:443/v1",
    "https://API.OpenAI.com/v1",
    "HTTPS://api.openai.com/v1",
]

NOT_OPENAI = [
    "http://api.openai.com/v1",
    "https://api.openai.com:8443/v1",
    "https://api.openai.com.evil.example/v1",
    "https://api.openai.com@evil.example/v1",
    "https://api.openai.com:443@evil.example/v1",
    "https://evil.example/api.openai.com/v1",
    "https://evil.example\\@api.openai.com.evil.example",
    "https://api.openai.com./v1",
    "https://api.openai.com%2eevil.example/v1",
    "https://api-openai.com/v1",
    "https://аpi.openai.com/v1",  # the first letter is Cyrillic
    "https://api.openai.com\u3002evil.example/v1",  # an ideographic full stop, which IDNA reads as a dot
    "https://openai.com/v1",
    "https://127.0.0.1.evil.example/v1",
    "https://localhost.evil.example/v1",
    "https://localhost@evil.example/v1",
    "http://0.0.0.0:8000/v1",
    "http://127.1:8000/v1",
    "http://2130706433/v1",
]

LOOPBACK = [
    "http://127.0.0.1:8000/v1",
    "http://127.9.9.9/v1",
    "http://localhost:11434/v1",
    "https://LOCALHOST/v1",
    "http://[::1]:8000/v1",
]

NO_ORIGIN = [
    "",
    "api.openai.com",
    "//api.openai.com",
    "ftp://api.openai.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https://:443",
    "https://host:port",
    "https://host:99999",
    "https://[::1",
    "https://a b.example",
    "https://evil.example\n",
    "https://api.openai\u202e.com",
]


@pytest.mark.parametrize("url", OPENAI_ITSELF + LOOPBACK)
def test_a_well_known_key_goes_to_its_own_service_and_to_this_machine(url: str) -> None:
    trust.check("OPENAI_API_KEY", url, [])


@pytest.mark.parametrize("url", NOT_OPENAI)
def test_and_nowhere_else(url: str) -> None:
    with pytest.raises((UntrustedKeyError, UsageError)):
        trust.check("OPENAI_API_KEY", url, [])


@pytest.mark.parametrize(("name", "where"), trust.WELL_KNOWN.items())
def test_every_well_known_pair_is_an_origin_and_trusted_for_its_name_alone(name: str, where: str) -> None:
    assert trust.origin(where) == where
    trust.check(name, where + "/v1", [])
    with pytest.raises(UntrustedKeyError):
        trust.check("ANOTHER_KEY", where + "/v1", [])


@pytest.mark.parametrize("url", NO_ORIGIN)
def test_what_is_no_http_url_has_no_origin(url: str) -> None:
    with pytest.raises(UsageError, match="not an http or https URL"):
        trust.origin(url)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("https://llm.example.org/v1", "https://llm.example.org"),
        ("https://LLM.example.org:443", "https://llm.example.org"),
        ("http://llm.example.org:80/", "http://llm.example.org"),
        ("http://llm.example.org:8080/", "http://llm.example.org:8080"),
        ("https://user:password@llm.example.org/", "https://llm.example.org"),
        ("https://müller.example/v1", "https://xn--mller-kva.example"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, where: str) -> None:
    assert trust.origin(url) == where


def test_a_recorded_pair_is_trusted_as_a_pair() -> None:
    recorded = [("A_KEY", "https://llm.example.org"), ("B_KEY", "https://other.example.org")]
    trust.check("A_KEY", "https://llm.example.org/v1", recorded)
    for name, url in [
        ("A_KEY", "https://other.example.org/v1"),
        ("B_KEY", "https://llm.example.org/v1"),
        ("A_KEY", "http://llm.example.org/v1"),
        ("A_KEY", "https://llm.example.org:8443/v1"),
        ("A_KEY", "https://sub.llm.example.org/v1"),
    ]:
        with pytest.raises(UntrustedKeyError):
            trust.check(name, url, recorded)


def test_the_refusal_says_what_to_type(tmp_path: Path) -> None:
    """And what it says to type is what mends it."""
    for name, url, command in [
        ("A_KEY", "https://llm.example.org/v1", "promptjobs trust A_KEY https://llm.example.org"),
        ("/keys/my key", "https://h.example", "promptjobs trust '/keys/my key' https://h.example"),
    ]:
        with pytest.raises(UntrustedKeyError) as caught:
            trust.check(name, url, [])
        assert str(caught.value).endswith(f"run: {command}")
        store = tmp_path / "trusted.json"
        trust.record(store, name, url)
        trust.check(name, url, trust.recorded(store))


def test_a_variable_in_the_host_is_shown_as_a_variable() -> None:
    with pytest.raises(UntrustedKeyError) as caught:
        trust.check("HOST", f"http://{SECRET}:8000/v1", [], "http://me:${PW}@${HOST}:8000/v1")
    assert SECRET not in str(caught.value)
    assert str(caught.value).endswith('promptjobs trust HOST "http://${HOST}:8000"')


def test_the_store_is_written_and_read_back(tmp_path: Path) -> None:
    store = tmp_path / "config" / "promptjobs" / "trusted.json"
    assert trust.recorded(store) == []
    assert trust.record(store, "A_KEY", "https://llm.example.org/v1") == "https://llm.example.org"
    trust.record(store, "A_KEY", "https://llm.example.org:443")
    trust.record(store, "A_KEY", "https://other.example.org")
    assert trust.recorded(store) == [
        ("A_KEY", "https://llm.example.org"),
        ("A_KEY", "https://other.example.org"),
    ]
    assert trust.forget(store, "A_KEY", "https://llm.example.org")
    assert not trust.forget(store, "A_KEY", "https://llm.example.org")
    assert trust.recorded(store) == [("A_KEY", "https://other.example.org")]
    assert [path.name for path in store.parent.iterdir()] == ["trusted.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"{}",
        b'{"ab": 1}',
        b'["ab"]',
        b'[["A"]]',
        b'[["A", 1]]',
        b'[["A","B","C"]]',
        b"\xff",
    ],
)
def test_a_damaged_store_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "trusted.json"
    store.write_bytes(content)
    for call in (
        lambda: trust.recorded(store),
        lambda: trust.record(store, "A", "https://llm.example.org"),
        lambda: trust.forget(store, "A", "https://llm.example.org"),
    ):
        with pytest.raises(UsageError, match=r"trusted\.json cannot be read"):
            call()
    assert store.read_bytes() == content


def test_a_store_that_cannot_be_written_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be"):
        trust.record(tmp_path / "file" / "trusted.json", "A", "https://llm.example.org")


@pytest.mark.parametrize(
    ("variables", "store"),
    [
        ({}, "/home/me/.config/promptjobs/trusted.json"),
        ({"XDG_CONFIG_HOME": "/etc/me"}, "/etc/me/promptjobs/trusted.json"),
        ({"XDG_CONFIG_HOME": "relative"}, "/home/me/.config/promptjobs/trusted.json"),
        ({"XDG_CONFIG_HOME": ""}, "/home/me/.config/promptjobs/trusted.json"),
    ],
)
def test_the_store_lies_where_the_user_keeps_settings(variables: dict[str, str], store: str) -> None:
    assert trust.store(variables, Path("/home/me")) == Path(store)


def test_a_key_is_a_variable_or_a_file_and_never_the_key_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.key").touch()
    (tmp_path / "link").symlink_to("llm.key")
    file = str((tmp_path / "llm.key").resolve())
    assert trust.key_name("A_KEY") == "A_KEY"
    assert trust.key_name("llm.key") == trust.key_name("./link") == file
    with pytest.raises(UsageError) as caught:
        trust.key_name(SECRET)
    assert SECRET not in str(caught.value)
    assert trust.key_name("./gone.key", is_new=False) == str(tmp_path.resolve() / "gone.key")


# The command


def test_trust_round_trip(cli: Cli) -> None:
    """A refused job, the command that the refusal names, the same job with its key, and back."""
    job = cli.folder / "job.yaml"
    with served(ChatServer(key=SECRET)) as server:
        # A name of this machine that is not on the list of loopback addresses.
        base_url = server.url.replace("127.0.0.1", "0.0.0.0")
        job.write_text(
            f"provider: openai\nbase_url: {base_url}/v1\napi_key_env: A_KEY\nmodel: m\nprompt: hello\n"
        )
        env = {"A_KEY": SECRET}

        refused = cli("run", "job.yaml", **env)
        assert (refused.code, server.seen) == (2, [])
        assert f"promptjobs trust A_KEY {base_url}" in refused.stderr
        assert not (cli.folder / "output" / "job.jsonl").exists()

        assert cli("trust", "A_KEY", f"{base_url}/v1").code == 0
        assert f"A_KEY  {base_url}\n" in cli("trust").stdout
        trusted = cli("run", "job.yaml", "-v", **env)
        assert (trusted.code, server.prompts) == (0, ["hello"])
        for path in cli.folder.rglob("*"):
            assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in refused.stderr + trusted.stderr + trusted.stdout

        assert cli("trust", "--remove", "A_KEY", base_url).code == 0
        assert cli("run", "job.yaml", "-o", "again.jsonl", **env).code == 2
        assert len(server.seen) == 1
