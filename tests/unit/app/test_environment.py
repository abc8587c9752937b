"""Keys, headers and addresses from the surroundings: what is filled in, refused, and never told."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batch.app.run.endpoints import Address, members
from batch.app.setup import trust
from batch.app.setup.environment import Environment
from batch.errors import JobFileError, UntrustedKeyError, UsageError
from batch.jobfile import load_mapping
from batch.jobfile.job import Model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "sk-do-not-tell-7163"
OPENAI = "https://api.openai.com/v1"
EVIL = "https://evil.example/v1"
HERE = "http://127.0.0.1:8000/v1"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    variables = {
        "OPENAI_API_KEY": SECRET,
        "PROXY_PASSWORD": "pw-7163",
        "HOST": "gpu-box.example",
        "PORT": "8000",
        "MY_URL": "https://llm.example.org/v1",
        "URL_WITH_USER": f"https://me:{SECRET}@llm.example.org/v1",
        "FTP_URL": "ftp://llm.example.org",
        "URL_WITH_QUERY": f"https://llm.example.org/v1?key={SECRET}",
        "URL_WITH_HASH": "https://llm.example.org/v1#x",
        "URL_OF_A_CALL": "https://llm.example.org/v1/chat/completions",
        "BLANK": "  ",
        "TWO_LINES": f"{SECRET}\nx-forged: 1",
        "PADDED": f" {SECRET}\n",
        "HALF": f"{SECRET}\udcff",
    }
    return Environment(variables, tmp_path)


def model(base_url: object = OPENAI, **settings: object) -> Model:
    """A model as a job file would have it."""
    return replace(Model("m", "openai", "m"), base_url=base_url, **settings)  # type: ignore[arg-type]


def refusal(model: Model, environment: Environment) -> str:
    """Why nothing may be sent to this model."""
    with pytest.raises(UsageError) as caught:
        Address(model, environment)
    message = str(caught.value)
    assert SECRET not in message
    assert "pw-7163" not in message
    return message


# Keys


def test_a_key_goes_to_its_own_service(environment: Environment) -> None:
    address = Address(model(api_key_env="OPENAI_API_KEY"), environment)
    assert (address.base_url, address.credentials.api_key) == (OPENAI, SECRET)
    assert SECRET not in repr(environment)
    assert SECRET not in repr(address.credentials)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key_env": "OPENAI_API_KEY"},
        {"headers": {"authorization": "Bearer ${OPENAI_API_KEY}"}},
        {"headers": {"x-title": "a", "X-Innocent": "before ${OPENAI_API_KEY} after"}},
        {"base_url": "https://evil.example/${OPENAI_API_KEY}/v1"},
        {"base_url": "https://${OPENAI_API_KEY}.evil.example/v1"},
        {"base_url": "https://${OPENAI_API_KEY}@evil.example/v1"},
        {"base_url": "https://evil.example:443/v1/${HOST}/${OPENAI_API_KEY}"},
        {"base_url": OPENAI, "proxy": "http://${OPENAI_API_KEY}@evil.example:3128"},
        {"base_url": OPENAI, "proxy": "http://me:${PROXY_PASSWORD}@evil.example:3128"},
        {"base_url": OPENAI, "proxy": "http://${PROXY_PASSWORD}.evil.example:3128"},
    ],
    ids=str,
)
def test_no_part_of_a_request_carries_a_key_to_a_strange_origin(
    environment: Environment, settings: dict[str, object]
) -> None:
    assert "is not trusted for http" in refusal(model(**{"base_url": EVIL, **settings}), environment)


@pytest.mark.parametrize("base_url", [HERE, "http://llm.example.org/v1"])
@pytest.mark.parametrize(
    "settings",
    [{"api_key_env": "OPENAI_API_KEY"}, {"headers": {"authorization": "Bearer ${OPENAI_API_KEY}"}}],
    ids=str,
)
def test_a_proxy_that_would_read_the_key_must_be_trusted_for_it(
    environment: Environment, base_url: str, settings: dict[str, object]
) -> None:
    trust.record(environment.trust_store, "OPENAI_API_KEY", base_url)
    Address(model(base_url, **settings), environment)
    through = model(base_url, proxy="http://evil.example:3128", **settings)
    message = refusal(through, environment)
    assert message.endswith("promptjobs trust OPENAI_API_KEY http://evil.example:3128")
    trust.record(environment.trust_store, "OPENAI_API_KEY", "http://evil.example:3128")
    Address(through, environment)


def test_through_tls_a_proxy_reads_nothing(environment: Environment) -> None:
    address = Address(model(api_key_env="OPENAI_API_KEY", proxy="http://proxy.example:3128"), environment)
    assert address.proxy == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MISSING", "MISSING is not set"),
        ("BLANK", "BLANK is not set"),
        ("TWO_LINES", "TWO_LINES holds a line break or a control character"),
        ("HALF", "HALF holds a line break or a control character"),
    ],
)
def test_a_variable_that_holds_no_key_is_named(environment: Environment, name: str, said: str) -> None:
    assert said in refusal(model(HERE, api_key_env=name), environment)
    assert said in refusal(model(HERE, headers={"x-a": f"${{{name}}}"}), environment)


def test_white_space_around_a_key_is_no_part_of_it(environment: Environment) -> None:
    assert Address(model(HERE, api_key_env="PADDED"), environment).credentials.api_key == SECRET


def test_the_embedded_endpoint_is_shown_no_key(environment: Environment) -> None:
    local = model("local", engine="extractive", api_key_env="MISSING", proxy="http://evil.example:1")
    address = Address(local, environment)
    assert (address.credentials.api_key, address.proxy) == (None, None)


def test_everything_that_was_filled_in_is_known_as_a_secret(environment: Environment) -> None:
    """So that a server which echoes it in an error does not get it into the results."""
    trust.record(environment.trust_store, "PROXY_PASSWORD", "http://proxy.example:3128")
    address = Address(
        model(
            headers={"x-key": "${OPENAI_API_KEY}"},
            proxy="http://me:${PROXY_PASSWORD}@proxy.example:3128",
        ),
        environment,
    )
    assert address.credentials.secrets == (SECRET, "pw-7163", "pw-7163")
    whole = Address(model("${URL_WITH_USER}"), environment)
    assert whole.credentials.secrets == (SECRET,)


# Addresses


def test_a_variable_may_hold_the_whole_address(environment: Environment) -> None:
    assert Address(model("${MY_URL}"), environment).base_url == "https://llm.example.org/v1"


def test_a_key_does_not_follow_an_address_from_a_variable(environment: Environment) -> None:
    message = refusal(model("${MY_URL}", api_key_env="OPENAI_API_KEY"), environment)
    assert "promptjobs trust OPENAI_API_KEY https://llm.example.org" in message
    message = refusal(model("${URL_WITH_USER}", api_key_env="OPENAI_API_KEY"), environment)
    assert "promptjobs trust OPENAI_API_KEY https://llm.example.org" in message


def test_a_variable_may_be_a_part_of_an_address_that_is_trusted_for_it(environment: Environment) -> None:
    written = "http://${HOST}:${PORT}/v1"
    assert 'promptjobs trust HOST "http://${HOST}:${PORT}"' in refusal(model(written), environment)
    for name in ("HOST", "PORT"):
        trust.record(environment.trust_store, name, "http://gpu-box.example:8000")
    assert Address(model(written), environment).base_url == "http://gpu-box.example:8000/v1"
    assert Address(model("http://localhost:${PORT}/v1"), environment).base_url == "http://localhost:8000/v1"


@pytest.mark.parametrize("where", ["base_url", "proxy"])
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("${FTP_URL}", "'${FTP_URL}' is not an http or https URL after its variables are expanded"),
        ("${OPENAI_API_KEY}", "is not an http or https URL after"),
        ("${TWO_LINES}", "holds a line break"),
        ("${URL_WITH_HASH}", "contains `#`"),
        ("${MISSING}", "MISSING is not set"),
        ("https://llm.example.org:${HOST}", "is not an http or https URL after"),
        ("http://me:secret-${PORT}@${MISSING}", "MISSING is not set"),
    ],
)
def test_an_address_is_judged_once_it_is_filled_in(
    environment: Environment, where: str, reference: str, said: str
) -> None:
    settings = {"base_url": OPENAI, where: reference}
    assert said in refusal(model(**settings), environment)


def test_a_query_of_an_address_is_kept_and_its_keys_are_secrets(environment: Environment) -> None:
    whole = model("${URL_WITH_QUERY}")
    assert Address(whole, environment).base_url == f"https://llm.example.org/v1?key={SECRET}"
    assert environment.secrets(whole) == [SECRET]
    written = "https://me.openai.azure.com/openai/deployments/m?api-version=2024-10-21"
    assert Address(model(written), environment).base_url == written
    assert environment.secrets(model(written)) == []


@pytest.mark.parametrize(
    ("where", "reference", "said"),
    [
        ("proxy", "${URL_WITH_QUERY}", "contains `?` after"),
        ("base_url", "${URL_OF_A_CALL}", "ends in /chat/completions, which the client adds; leave it out"),
    ],
)
def test_an_address_that_is_none_for_its_purpose(
    environment: Environment, where: str, reference: str, said: str
) -> None:
    assert said in refusal(model(**{"base_url": OPENAI, where: reference}), environment)


def test_the_default_address_is_the_providers_own(environment: Environment) -> None:
    own = Model("m", "autonomous", "llama", api_key_env="AUTONOMOUS_API_KEY")
    with_key = Environment({"AUTONOMOUS_API_KEY": SECRET}, environment.home)
    assert Address(own, with_key).base_url == "https://chatgpt.autonomous.ai"
    with pytest.raises(UntrustedKeyError):
        Address(replace(own, api_key_env="OPENAI_API_KEY"), environment)


@pytest.mark.parametrize("name", ["Host", "host", "Content-Length", "transfer-encoding", "Connection"])
def test_no_header_names_another_host(tmp_path: Path, name: str) -> None:
    job = {"provider": "openai", "base_url": OPENAI, "model": "m", "prompt": "hello"}
    with pytest.raises(JobFileError, match="is set by the client"):
        load_mapping({**job, "headers": {name: "evil.example"}}, tmp_path)


# Key files


def key_file_model(folder: Path, content: bytes, base_url: str = HERE) -> Model:
    (folder / "llm.key").write_bytes(content)
    job: Mapping[str, object] = {
        "provider": "openai",
        "base_url": base_url,
        "api_key_file": "llm.key",
        "model": "m",
        "prompt": "hello",
    }
    return load_mapping(job, folder).models[0]


@pytest.mark.parametrize("content", [f"{SECRET}", f"{SECRET}\n", f"  {SECRET}\r\n\n", f"\ufeff{SECRET}\n"])
def test_a_key_file_holds_one_line(environment: Environment, tmp_path: Path, content: str) -> None:
    address = Address(key_file_model(tmp_path, content.encode()), environment)
    assert address.credentials.api_key == SECRET


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        f"{SECRET}\n{SECRET}".encode(),
        f"{SECRET}\r\nx-forged: 1".encode(),
        f"{SECRET}\x00".encode(),
        f"{SECRET}\x1b[2J".encode(),
        SECRET.encode() + b"\xff",
        SECRET.encode("utf-16"),
        b"k" * 100_000,
    ],
)
def test_a_file_that_holds_anything_else_is_named_and_not_quoted(
    environment: Environment, tmp_path: Path, content: bytes
) -> None:
    message = refusal(key_file_model(tmp_path, content), environment)
    assert message.endswith("llm.key does not hold one line with a key")


def test_a_key_file_that_is_no_file_is_not_waited_for(environment: Environment, tmp_path: Path) -> None:
    wanted = key_file_model(tmp_path, b"")
    path = tmp_path / "llm.key"
    path.unlink()
    assert "cannot be read: no such file" in refusal(wanted, environment)
    os.mkfifo(path)
    assert "cannot be read: not a regular file" in refusal(wanted, environment)


def test_a_key_file_is_trusted_by_its_path(environment: Environment, tmp_path: Path) -> None:
    """The command that the refusal names is the one that helps."""
    wanted = key_file_model(tmp_path, SECRET.encode(), "https://llm.example.org/v1")
    path = str((tmp_path / "llm.key").resolve())
    assert refusal(wanted, environment).endswith(f"promptjobs trust {path} https://llm.example.org")
    trust.record(environment.trust_store, trust.key_name(path), "https://llm.example.org")
    assert Address(wanted, environment).credentials.api_key == SECRET


def test_a_key_file_behind_a_link_is_trusted_by_what_the_link_leads_to(
    environment: Environment, tmp_path: Path
) -> None:
    """Also where the caller names it by a ``Path``, which may lead anywhere."""
    (tmp_path / "llm.key").write_text(SECRET)
    folder = tmp_path / "project"
    folder.mkdir()
    link = folder / "link.key"
    link.symlink_to(tmp_path / "llm.key")
    job = {"provider": "openai", "base_url": "https://llm.example.org", "model": "m", "prompt": "hello"}
    wanted = load_mapping({**job, "api_key_file": link}, folder).models[0]
    trust.record(environment.trust_store, trust.key_name(str(link)), "https://llm.example.org")
    assert Address(wanted, environment).credentials.api_key == SECRET


@pytest.mark.parametrize("written", ["/etc/hostname", "../llm.key", "link.key"])
def test_a_key_file_stays_inside_the_jobs_root(tmp_path: Path, written: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "llm.key").write_text(SECRET)
    (folder / "link.key").symlink_to(tmp_path / "llm.key")
    job = {"provider": "openai", "base_url": HERE, "api_key_file": written, "model": "m", "prompt": "hello"}
    with pytest.raises(JobFileError, match="is outside"):
        load_mapping(job, folder)


# Pools


def test_a_key_must_be_trusted_for_every_address_of_a_pool(environment: Environment) -> None:
    several = model(None, base_urls=(OPENAI, EVIL), api_key_env="OPENAI_API_KEY")
    good, evil = members(several).values()
    assert Address(good, environment).credentials.api_key == SECRET
    assert "not trusted for https://evil.example" in refusal(evil, environment)


def test_the_members_of_a_pool_are_named_by_address_and_a_lone_model_by_its_id() -> None:
    assert list(members(model())) == ["m"]
    several = members(model(None, base_urls=("http://${HOST}/v1", HERE)))
    assert list(several) == ["m at http://${HOST}/v1", f"m at {HERE}"]
    assert [(each.base_url, each.base_urls) for each in several.values()] == [
        ("http://${HOST}/v1", ()),
        (HERE, ()),
    ]
