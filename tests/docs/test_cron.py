"""The examples of ``docs/cron.md``: run as cron and systemd would run them, night after night."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import yaml
from aiohttp import web

from tests.support.chat_server import ChatServer
from tests.support.cli_support import Cli, served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cron.md").read_text(encoding="utf-8")
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def example(language: str) -> str:
    """The one example of the page in this language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert isinstance(text, str)
    return text


def variables(text: str) -> dict[str, str]:
    """What an environment file sets, as systemd reads it."""
    return dict(line.split("=", 1) for line in text.splitlines())


class Mail:
    """What cron would send after a night: nothing, where nothing was said."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text

    def silent_with(self, code: int) -> bool:
        return (self.code, self.text) == (code, "")

    def reasons(self) -> dict[str, str]:
        """The failures that the mail names, each with the words of its reason that the tests know."""
        named = re.findall(r"^  ((?:still )?failed: \S+: \w+): (.*)$", self.text, re.MULTILINE)
        words = ("not text in a known encoding", "400 Bad Request")
        return {what: next(word for word in words if word in why) for what, why in named}


class Home:
    """A home with ``work`` in it, as the page has it: the job, which asks a server, and what it needs."""

    def __init__(self, path: Path, server: ChatServer) -> None:
        self.path = path
        self.work = path / "work"
        self.output = self.work / "output" / "nightly.jsonl"
        self.reported = self.output.with_name("nightly.jsonl.reported.json")
        self.server = server
        for folder in ("jobs/documents", ".venv/bin"):
            (self.work / folder).mkdir(parents=True)
        for name in ("Zürich", "bern", "一"):
            self.add(name, f"A text about {name}.")
        (self.work / "promptjobs.env").write_text(example("env"))
        command = self.work / ".venv" / "bin" / "promptjobs"
        command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -W error -m batch "$@"\n')
        command.chmod(0o755)
        job = yaml.safe_load((ROOT / "jobs" / "nightly.yaml").read_text(encoding="utf-8"))
        del job["engine"]
        job |= {
            "provider": "openai",
            "base_url": f"{server.url}/v1",
            "api_key_env": "OPENAI_API_KEY",
            "retries": {"max_attempts": 2, "base": "1ms", "cap": "1ms"},
        }
        (self.work / "jobs" / "nightly.yaml").write_text(json.dumps(job))

    def change(self, key: str, **value: Any) -> None:
        """The user edits one key of the job."""
        path = self.work / "jobs" / "nightly.yaml"
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    def add(self, name: str, text: str) -> None:
        """A document appears."""
        (self.work / "jobs" / "documents" / f"{name}.txt").write_text(text, encoding="utf-8")

    def add_broken(self, name: str, rest: bytes = b"") -> None:
        """A picture appears under the name of a text."""
        path = self.work / "jobs" / "documents" / f"{name}.txt"
        path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + rest)

    def days_pass(self, days: int) -> None:
        """Make the list of failures so many days older."""
        record = json.loads(self.reported.read_text())
        listed = datetime.fromisoformat(record["listed_at"]) - timedelta(days=days)
        self.reported.write_text(json.dumps(record | {"listed_at": listed.isoformat()}))

    def environment(self) -> dict[str, str]:
        return variables((self.work / "promptjobs.env").read_text())

    def statuses(self) -> dict[str, str]:
        lines = map(json.loads, self.output.read_text(encoding="utf-8").splitlines())
        return {Path(line["id"]).stem: line["status"] for line in lines}

    async def night(self, command: str = "") -> Mail:
        """Cron runs its line, or another command in that place."""
        line = example("crontab").split(None, 5)[5].strip()
        bare = {"HOME": str(self.path), "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
        return await _run(["/bin/sh", "-c", command or line], env=bare, cwd=self.path)


def server_refuses(words: str, server: ChatServer) -> Callable[[], Awaitable[None]]:
    """A server that refuses each text with these words for good."""

    async def refuse() -> None:
        if words in server.prompts[-1]:
            raise web.HTTPBadRequest

    return refuse


async def _run(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Mail:
    with anyio.fail_after(60):
        process = await anyio.run_process(
            command, env=env, cwd=cwd, check=False, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    return Mail(process.returncode, process.stdout.decode())


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with served(ChatServer(key=variables(example("env"))["OPENAI_API_KEY"])) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: ChatServer) -> Home:
    return Home(tmp_path / "home", server)


@pytest.fixture
def night(home: Home, cli: Cli) -> Callable[..., Mail]:
    """A night in which cron's command, or another one, runs in this process: a new one takes a second."""
    usual = example("crontab").rpartition("/promptjobs ")[2].split()
    cli.folder = home.work

    def night(*command: str) -> Mail:
        ended = cli(*(command or usual), **{**home.environment(), "HOME": str(home.path)})
        return Mail(ended.code, ended.stdout + ended.stderr)

    return night


# Cron


def test_the_crontab_line_is_one() -> None:
    *fields, command = example("crontab").split(None, 5)
    for field, (low, high) in zip(fields, FIELDS.values(), strict=True):
        assert field == "*" or low <= int(field) <= high
    assert "%" not in command, "cron would take it for a line end"
    assert example("crontab").count("\n") == 1


async def test_a_night_sends_what_is_new_and_prints_nothing(home: Home, server: ChatServer) -> None:
    for new in (["Zürich", "bern", "一"], [], ["lugano"], []):
        for name in new:
            home.add(name, f"A text about {name}.")
        sent = len(server.seen)
        mail = await home.night()
        assert (mail.code, mail.text) == (0, "")
        assert sorted(server.prompts[sent:]) == sorted(f"A text about {name}." for name in new)
    assert home.statuses() == dict.fromkeys(["Zürich", "bern", "一", "lugano"], "succeeded")


async def test_what_has_passed_by_the_morning_stands_in_the_log_and_makes_no_mail(
    home: Home, server: ChatServer
) -> None:
    async def wait_once() -> None:
        if len(server.seen) == 2:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "1"})

    server.before_answer = wait_once
    (home.work / "jobs" / "documents" / "café.txt").write_bytes("Zwei Kännchen, draußen.".encode("cp1252"))
    for sent in (5, 0):
        before = len(server.seen)
        mail = await home.night()
        assert (mail.code, mail.text, len(server.seen) - before) == (0, "", sent)
    log = home.output.with_name("nightly.jsonl.log").read_text(encoding="utf-8")
    assert log.count("is parked for 1 s") == 1
    assert log.count("is read as Windows-1252") == 2


async def test_a_document_that_cannot_be_read_makes_a_mail_and_holds_up_no_other(
    home: Home, server: ChatServer
) -> None:
    home.add_broken("photograph")
    mail = await home.night()
    assert (mail.code, len(server.seen)) == (1, 3)
    assert "photograph.txt" in mail.text
    assert "3 succeeded, 1 failed of 4" in mail.text
    assert home.statuses()["photograph"] == "failed"


def test_a_failure_is_mailed_once_then_counted_and_listed_again_after_a_week(
    home: Home, server: ChatServer, night: Callable[..., Mail]
) -> None:
    home.add_broken("photograph")
    first = night()
    assert first.code == 1
    assert first.reasons() == {"failed: photograph.txt: bad_row": "not text in a known encoding"}
    for _ in range(2):
        assert night().silent_with(1)
    home.add("refused", "A text that the server refuses.")
    server.before_answer = server_refuses("that the server refuses", server)
    fourth = night()
    assert fourth.reasons() == {"failed: refused.txt: bad_request": "400 Bad Request"}
    assert "\n  and 1 known failure\n" in fourth.text
    assert night().silent_with(1)
    home.days_pass(8)
    later = night()
    assert later.reasons() == {
        "still failed: photograph.txt: bad_row": "not text in a known encoding",
        "still failed: refused.txt: bad_request": "400 Bad Request",
    }
    assert night().silent_with(1)


def test_a_broken_document_that_was_edited_is_news_and_a_fixed_one_is_forgotten(
    home: Home, night: Callable[..., Mail]
) -> None:
    home.add_broken("photograph")
    assert night().code == 1
    home.add_broken("photograph", b"in another resolution")
    assert "failed: photograph.txt: bad_row" in night().text
    assert night().silent_with(1)
    home.add("photograph", "A text about a photograph.")
    assert night().silent_with(0)
    assert not home.reported.exists(), "nothing is open"
    home.add_broken("photograph")
    assert "failed: photograph.txt: bad_row" in night().text


def test_a_broken_document_can_be_excluded_as_the_page_says(home: Home, night: Callable[..., Mail]) -> None:
    home.add_broken("photograph")
    assert night().code == 1
    (pattern,) = re.findall(r"`\"!(documents/\S+)\"`", PAGE)
    assert (home.work / "jobs" / pattern).parent == home.work / "jobs" / "documents"
    home.change("inputs", files=["documents/*.txt", "!documents/photograph.txt"], on_bad_row="skip")
    assert night().silent_with(0)


def test_a_request_that_fails_for_three_nights_has_failed_for_good(
    home: Home, server: ChatServer, night: Callable[..., Mail]
) -> None:
    async def too_busy_for_one() -> None:
        if "bern" in server.prompts[-1]:
            raise web.HTTPServiceUnavailable

    server.before_answer = too_busy_for_one
    nights = []
    for sent in (2 + 2 + 1, 2 + 1, 2 + 1, 0):  # each time a check tells that it is at fault
        before = len(server.seen)
        mail = night()
        assert (mail.code, len(server.seen) - before) == (1, sent)
        nights.append(mail.text)
    temporary, second, final, fourth = nights
    assert "2 succeeded, 1 failed of 3" in temporary
    assert "failed: bern.txt: http_503" in temporary
    assert "; the next run sends it again\n" in temporary
    assert "failed: bern.txt: http_503" in final
    assert "the next run sends it again" not in final
    assert (second, fourth) == ("", "")
    again = night("retry", "-q", "jobs/nightly.yaml")
    assert again.code == 1
    assert "failed: bern.txt: http_503" in again.text, "the user asked for it"
    server.before_answer = None
    again = night("retry", "-q", "jobs/nightly.yaml")
    assert (again.code, again.text) == (0, "")
    assert night().silent_with(0)
    assert set(home.statuses().values()) == {"succeeded"}


def test_a_damaged_record_is_as_none(home: Home, night: Callable[..., Mail]) -> None:
    home.add_broken("photograph")
    assert night().code == 1
    home.reported.write_bytes(b"{")
    assert "failed: photograph.txt" in night().text
    assert night().silent_with(1)


def test_a_record_that_cannot_be_written_is_as_none(home: Home, night: Callable[..., Mail]) -> None:
    home.add_broken("photograph")
    home.output.parent.mkdir()
    home.reported.mkdir()
    for _ in range(2):
        mail = night()
        assert mail.code == 1
        assert "failed: photograph.txt" in mail.text
        assert "nightly.jsonl.reported.json cannot be written; failures are reported again" in mail.text


def test_trouble_of_a_whole_run_is_mailed_every_night_and_counts_what_is_known(
    home: Home, server: ChatServer, night: Callable[..., Mail]
) -> None:
    home.add_broken("photograph")
    assert night().code == 1
    server.key = "another key"
    home.add("lugano", "A text about Lugano.")
    for _ in range(2):
        mail = night()
        assert mail.code == 7
        assert "auth" in mail.text
        assert "\n  1 known failure\n" in mail.text
        assert "photograph" not in mail.text
    server.key = "sk-replace-me"
    assert night().silent_with(1)


def test_a_night_without_the_server_makes_a_mail_and_the_next_night_resumes(
    home: Home, server: ChatServer, night: Callable[..., Mail]
) -> None:
    server.key = "another key"
    mail = night()
    assert (mail.code, len(server.seen)) == (7, 1)
    assert "auth" in mail.text
    assert "3 pending of 3" in mail.text
    assert "sk-replace-me" not in mail.text
    server.key = "sk-replace-me"
    assert night().text == ""
    assert len(home.statuses()) == 3


async def test_the_environment_file_holds_flags_too(home: Home, server: ChatServer) -> None:
    with (home.work / "promptjobs.env").open("a") as file:
        file.write("PROMPTJOBS_LIMIT=2\n")
    mail = await home.night()
    assert (mail.code, len(server.seen)) == (8, 2)
    assert "2 succeeded, 1 pending of 3" in mail.text


# systemd


def unit(language: str) -> dict[str, dict[str, str]]:
    """The unit file's sections."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(example(language))
    return {name: dict(section) for name, section in parser.items() if name != "DEFAULT"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
async def test_systemd_finds_no_fault_with_the_units(home: Home) -> None:
    for language in ("service", "timer"):
        text = example(language).replace("%h", str(home.path))
        (home.path / f"nightly.{language}").write_text(text)
    checked = await _run(
        ["systemd-analyze", "verify", "--man=no", "./nightly.service", "./nightly.timer"],
        env={"PATH": "/usr/bin:/bin"},
        cwd=home.path,
    )
    assert (checked.code, checked.text) == (0, "")


def test_the_timer_starts_the_service_every_night() -> None:
    assert unit("timer")["Timer"]["OnCalendar"] == "*-*-* 02:30:00"
    assert "Unit" not in unit("timer")["Timer"], "then it is the service of the same name"
    assert unit("timer")["Install"] == {"WantedBy": "timers.target"}


async def serve(home: Home) -> Mail:
    """What systemd would do with the service."""
    service = {key: value.replace("%h", str(home.path)) for key, value in unit("service")["Service"].items()}
    assert service["EnvironmentFile"] == str(home.work / "promptjobs.env")
    environment = {"HOME": str(home.path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **home.environment()}
    return await _run(service["ExecStart"].split(), env=environment, cwd=Path(service["WorkingDirectory"]))


async def test_the_service_runs_the_job_and_resumes_the_next_night(home: Home, server: ChatServer) -> None:
    first = await serve(home)
    assert (first.code, len(server.seen)) == (0, 3)
    assert "nightly: 3 succeeded of 3" in first.text
    assert all(character.isprintable() or character == "\n" for character in first.text), (
        "no bar in a journal"
    )
    home.add("lugano", "A text about Lugano.")
    assert (await serve(home)).code == 0
    assert server.prompts[3:] == ["A text about Lugano."]


async def test_only_what_the_user_wants_to_hear_of_is_a_failure_of_the_service(home: Home) -> None:
    assert unit("service")["Service"]["SuccessExitStatus"].split() == ["8", "143"]
    with (home.work / "promptjobs.env").open("a") as file:
        file.write("PROMPTJOBS_LIMIT=2\n")
    assert (await serve(home)).code == 8
