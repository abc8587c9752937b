"""The main job, end to end: the real command, over real HTTP, from a folder of documents to result lines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pytest

from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

DOCUMENTS = Path(__file__).parents[2] / "jobs" / "documents"


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(ChatServer()) as running:
        yield running


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


class Project:
    """A folder with documents and a job file for them."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.job = folder / "job.yaml"
        self.documents = folder / "documents"
        self.output = folder / "output" / "job.jsonl"
        shutil.copytree(DOCUMENTS, self.documents)
        self.write(base_url)

    def write(self, base_url: str, prompt: str = "{{ text }}", more: str = "") -> None:
        self.job.write_text(
            f"provider: autonomous\nmodel: summary\nbase_url: {base_url}\nprompt: '{prompt}'\n"
            f"inputs:\n  files: [documents/*.txt]\n{more}",
            encoding="utf-8",
        )

    def has_results(self) -> bool:
        """Whether a first result is durable: the output comes into being with it."""
        return self.output.exists()


@pytest.fixture
def project(tmp_path: Path, server: ChatServer) -> Project:
    return Project(tmp_path, server.url)


async def test_every_document_gets_its_line(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    ended = await promptjobs("run", "job.yaml")
    assert (ended.code, ended.stdout) == (0, "")
    results = lines(project.output)
    texts = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS.glob("*.txt")}
    assert {result["id"]: result["text"] for result in results} == {
        name: f"echo: {text}" for name, text in texts.items()
    }
    assert {result["status"] for result in results} == {"succeeded"}
    assert sorted(server.prompts) == sorted(texts.values())
    assert set(server.paths) == {"/api/v1/ai/summary"}
    assert len({body["threadId"] for body in server.seen}) == 10


async def test_a_second_run_sends_nothing_and_changes_nothing(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    await promptjobs("run", "job.yaml")
    before = project.output.read_bytes()
    ended = await promptjobs("run", "job.yaml", "--json")
    assert (ended.code, ended.summary["sent"], ended.summary["succeeded"]) == (0, 0, 10)
    assert len(server.seen) == 10
    assert project.output.read_bytes() == before


async def test_only_what_changed_runs_again(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    await promptjobs("run", "job.yaml")
    (project.documents / "new.txt").write_text("Something new.", encoding="utf-8")
    await promptjobs("run", "job.yaml")
    assert server.prompts[10:] == ["Something new."]
    (project.documents / "new.txt").write_text("Something edited.", encoding="utf-8")
    await promptjobs("run", "job.yaml")
    assert server.prompts[11:] == ["Something edited."]
    (project.documents / "new.txt").unlink()
    project.write(server.url, prompt="Shorter: {{ text }}")
    ended = await promptjobs("run", "job.yaml")
    assert ended.code == 0
    assert len(server.prompts[12:]) == 10
    assert all(prompt.startswith("Shorter: ") for prompt in server.prompts[12:])
    results = lines(project.output)
    assert len({result["id"] for result in results}) == len(results) == 11, "ten, and the orphan"


@pytest.mark.parametrize(
    ("wrong", "requests", "said"),
    [
        ("base_url: http://127.0.0.1:9", 0, "Connection refused"),
        ("base_url: {url}/elsewhere", 1, "404 Not Found: no such path"),
        ("base_url: {url}\napi_key_env: WRONG_KEY", 1, "401 Unauthorized: the key is wrong"),
    ],
    ids=["port", "path", "key"],
)
async def test_a_wrong_endpoint_costs_one_request_and_can_be_corrected(
    promptjobs: Command, project: Project, server: ChatServer, wrong: str, requests: int, said: str
) -> None:
    server.key = "the right key"
    right = project.job.read_text(encoding="utf-8").replace(
        f"base_url: {server.url}", f"base_url: {server.url}\napi_key_env: RIGHT_KEY"
    )
    project.job.write_text(
        right.replace(f"base_url: {server.url}\napi_key_env: RIGHT_KEY", wrong.format(url=server.url)),
        encoding="utf-8",
    )
    keys = {"RIGHT_KEY": "the right key", "WRONG_KEY": "a wrong key 7163"}
    ended = await promptjobs("run", "job.yaml", env=keys)
    assert (ended.code, len(server.seen)) == (7, requests)
    assert said in ended.stderr
    assert "10 pending of 10" in ended.stderr
    assert "7163" not in ended.stderr
    assert not project.output.exists()

    project.job.write_text(right, encoding="utf-8")
    ended = await promptjobs("run", "job.yaml", env=keys)
    assert ended.code == 0
    assert len(lines(project.output)) == 10


async def test_a_killed_run_resumes(promptjobs: Command, project: Project, server: ChatServer) -> None:
    for number in range(190):
        (project.documents / f"more-{number}.txt").write_text(f"Number {number}.", encoding="utf-8")
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml"), cwd=promptjobs.folder, env=promptjobs.environment
    ) as process:

        async def kill_in_the_middle() -> None:
            if len(server.seen) == 90:
                while not project.has_results():  # noqa: ASYNC110 - another process writes them
                    await anyio.sleep(0.01)
                process.send_signal(signal.SIGKILL)

        server.before_answer = kill_in_the_middle
        assert await process.wait() == -signal.SIGKILL
    server.before_answer = None
    first_run = len(server.seen)
    assert 90 <= first_run < 200
    ended = await promptjobs("run", "job.yaml")
    assert ended.code == 0
    results = lines(project.output)
    assert len(results) == len({result["id"] for result in results}) == 200
    assert {result["status"] for result in results} == {"succeeded"}
    assert len(server.seen) < 200 + first_run, "what was on disk was not sent again"


async def test_a_job_with_six_errors_names_all_six_and_sends_nothing(
    promptjobs: Command, server: ChatServer
) -> None:
    (promptjobs.folder / "job.yaml").write_text(
        "provider: autonomous\n"
        "model: lama\n"
        f"base_url: {server.url}\n"
        "prompt: 'Say {{ word'\n"
        "concurrency: many\n"
        "retries: {max_attempts: 0}\n"
        "temprature: 0\n"
        "timeouts: {idle: soon}\n",
        encoding="utf-8",
    )
    ended = await promptjobs("run", "job.yaml")
    assert ended.code == 2
    *diagnostics, last = ended.stderr.splitlines()
    assert [diagnostic.split(": ")[:2] for diagnostic in diagnostics] == [
        ["job.yaml:2:8", "model"],
        ["job.yaml:4:14", "prompt"],
        ["job.yaml:5:14", "concurrency"],
        ["job.yaml:6:25", "retries.max_attempts"],
        ["job.yaml:7:1", "temprature"],
        ["job.yaml:8:18", "timeouts.idle"],
    ]
    assert last == "6 errors; nothing was sent"
    assert server.seen == []


async def test_signals_drain_the_run_and_the_same_command_resumes(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    project.write(server.url, more="concurrency: 2\n")
    held = anyio.Event()
    two_under_way = anyio.Event()

    async def hold() -> None:
        if len(server.seen) == 5:
            two_under_way.set()
        if len(server.seen) >= 4:
            await held.wait()

    server.before_answer = hold
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml"), cwd=promptjobs.folder, env=promptjobs.environment
    ) as process:
        with anyio.fail_after(30):
            await two_under_way.wait()
            process.send_signal(signal.SIGTERM)
            said = await said_until(process, b"second signal stops now")
            held.set()
            assert await process.wait() == 143
    assert b"SIGTERM" in said
    log = project.output.with_name("job.jsonl.log").read_text(encoding="utf-8")
    assert " end     exit code 143 (SIGTERM) after " in log
    assert len(lines(project.output)) == len(server.seen) == 5
    server.before_answer = None
    assert (await promptjobs("run", "job.yaml")).code == 0
    assert len(server.seen) == len(lines(project.output)) == 10


async def test_a_second_signal_stops_at_once_and_loses_nothing_that_was_finished(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    under_way, over = anyio.Event(), anyio.Event()

    async def not_before_the_end() -> None:
        if server.answered:
            under_way.set()
            await over.wait()

    server.before_answer = not_before_the_end
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml"), cwd=promptjobs.folder, env=promptjobs.environment
    ) as process:
        with anyio.fail_after(30):
            await under_way.wait()
            process.send_signal(signal.SIGINT)
            await said_until(process, b"second signal stops now")
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
    over.set()
    assert len(lines(project.output)) == 1


def children_of(pid: int, program: str = "") -> list[int]:
    """The processes that this one has started, with this in their command lines."""
    command = ["pgrep", "-P", str(pid), "-f", program]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return [int(child) for child in found.stdout.split()]


async def said_until(process: anyio.abc.Process, end: bytes) -> bytes:
    """What the process says on stderr, as far as the words that are waited for."""
    assert process.stderr is not None
    said = b""
    while end not in said:
        said += await process.stderr.receive()
    return said


async def test_a_second_run_on_the_same_output_is_turned_away(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    ended_second = anyio.Event()
    first_waits = anyio.Event()

    async def wait_for_the_second() -> None:
        first_waits.set()
        await ended_second.wait()

    server.before_answer = wait_for_the_second
    async with anyio.create_task_group() as tasks:

        async def first() -> None:
            assert (await promptjobs("run", "job.yaml")).code == 0

        tasks.start_soon(first)
        await first_waits.wait()
        second = await promptjobs("run", "job.yaml")
        ended_second.set()
    assert second.code == 75
    assert "is locked by another run (process " in second.stderr
    assert len(server.seen) == 10


async def test_a_limit_that_was_not_reached_hides_nothing(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    server.key = "not shown"
    assert (await promptjobs("run", "job.yaml", "--limit", "100")).code == 7
    server.key = None
    assert (await promptjobs("run", "job.yaml", "--limit", "4")).code == 8
    assert len(lines(project.output)) == 4


async def test_what_was_skipped_is_sent_again_only_by_retry(
    promptjobs: Command, project: Project, server: ChatServer
) -> None:
    await promptjobs("run", "job.yaml", "--limit", "9")
    server.refused = "it is wrong"
    ended = await promptjobs("run", "job.yaml")
    assert (ended.code, len(server.seen)) == (1, 10)
    assert "`promptjobs show output/job.jsonl " in ended.stderr
    server.refused = None
    assert (await promptjobs("run", "job.yaml")).code == 1
    assert len(server.seen) == 10
    assert (await promptjobs("retry", "job.yaml")).code == 0
    assert len(server.seen) == 11
    assert len(lines(project.output)) == 10


async def test_results_are_no_documents(promptjobs: Command, tmp_path: Path, server: ChatServer) -> None:
    (tmp_path / "one.txt").write_text("One.", encoding="utf-8")
    (tmp_path / "job.yaml").write_text(
        f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\nprompt: '{{{{ text }}}}'\n"
        "inputs: {files: ['**/*.*']}\n",
        encoding="utf-8",
    )
    for _ in range(3):
        assert (await promptjobs("run", "job.yaml")).code == 0
    assert len(server.seen) == 2, "the document and the job file itself"


async def test_the_death_of_the_embedded_endpoint_ends_the_run_with_its_name(
    promptjobs: Command, project: Project
) -> None:
    project.write("local", more="engine: extractive\nconcurrency: 1\n")
    for number in range(3000):
        (project.documents / f"{number}.txt").write_text("One. Two. Three. Four.", encoding="utf-8")
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml", "--stats", "0.1s"),
        cwd=promptjobs.folder,
        env=promptjobs.environment,
    ) as process:
        with anyio.fail_after(50):
            await said_until(process, b"/3010 done")
            for child in children_of(process.pid):
                os.kill(child, signal.SIGKILL)
            assert await process.wait() == 7
            said = await said_until(process, b"the embedded endpoint ended unexpectedly (exit code -9)")
    assert said
    assert len(lines(project.output)) < 3010


async def test_python_dash_m_batch_and_the_script_are_the_same_command(promptjobs: Command) -> None:
    ended = await promptjobs("--version")
    assert ended.stdout.startswith("promptjobs, version ")
    assert (await promptjobs("no-such-command")).code == 2


async def test_help_imports_none_of_the_heavy_packages(promptjobs: Command) -> None:
    ended = await promptjobs("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "click" in imported
    heavy = {"aiohttp", "anyio", "jinja2", "msgspec", "pydantic", "tqdm", "uvloop", "xllamacpp", "yaml"}
    assert not heavy & imported


def test_the_real_thing_is_asked_for_by_the_example() -> None:
    """The main job as it ships: the embedded endpoint, the llama engine, every document."""
    text = (DOCUMENTS.parent / "summarise.yaml").read_text(encoding="utf-8")
    assert "base_url: local" in text
    assert "engine: llama" in text
    assert os.path.isdir(DOCUMENTS)
