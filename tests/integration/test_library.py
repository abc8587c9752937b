"""The library's functions: the guarantees of the command, from Python, without any output."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import batch
from batch import JobFileError, OutputLockedError, OutputWriteError, UsageError
from batch.results.lock import OutputLock
from tests.support.chat_server import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from batch import Job, Result, Summary

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(ChatServer()) as running:
        yield running


@pytest.fixture
async def never(server: ChatServer) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Comes with the end of the test, and lets the server's handlers go."""
    end = anyio.Event()
    yield end.wait
    end.set()


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is printed, not even by a child process."""
    yield
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with ten rows in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    rows = [json.dumps({"id": f"row-{number}", "word": f"word {number}"}) for number in range(10)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    return tmp_path


def job_for(base_url: str, **more: object) -> dict[str, object]:
    return {
        "name": "words",
        "provider": "autonomous",
        "model": "llama",
        "base_url": base_url,
        "prompt": "{{ word }}",
        "inputs": {"jsonl": "rows.jsonl"},
        **more,
    }


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.exit_code, summary.succeeded, summary.pending, summary.sent


# A job is a path, a mapping, or loaded already


@pytest.mark.parametrize("form", ["str", "path", "mapping", "loaded"])
async def test_a_job_in_every_form(folder: Path, server: ChatServer, form: str) -> None:
    mapping = job_for(server.url)
    path = folder / "words.yaml"
    path.write_text(json.dumps(mapping))  # JSON is YAML
    jobs: dict[str, Job] = {
        "str": "words.yaml",
        "path": path,
        "mapping": mapping,
        "loaded": batch.load_job(path),
    }
    summary = await batch.arun(jobs[form])
    assert counts(summary) == (0, 10, 0, 10)
    assert summary.output == str(folder / "output" / "words.jsonl")
    assert {line["id"]: line["text"] for line in lines(folder / "output" / "words.jsonl")} == {
        f"row-{number}": f"echo: word {number}" for number in range(10)
    }
    assert counts(await batch.arun(jobs[form])) == (0, 10, 0, 0)
    assert len(server.seen) == 10


def test_run_needs_no_loop(folder: Path) -> None:
    summary = batch.run(job_for("local", engine="extractive"))
    assert counts(summary) == (0, 10, 0, 10)
    assert {line["served_by"] for line in lines(folder / "output" / "words.jsonl")} == {"extractive"}


async def test_options_are_those_of_the_command(folder: Path, server: ChatServer) -> None:
    job = job_for(server.url, concurrency=1)
    summary = await batch.arun(
        job, limit=3, durability="flush", overrides={"params.temperature": 0.5, "model": "hermes-3"}
    )
    assert counts(summary) == (8, 3, 7, 3)
    assert [body["temperature"] for body in server.seen] == [0.5] * 3
    assert {body["aiAgent"] for body in server.seen} == {"hermes"}
    (folder / "settings.yaml").write_text(json.dumps({"provider": "autonomous", "base_url": server.url}))
    (folder / "list.jsonl").write_text('{"model": "llama", "prompt": "one"}\n')
    assert counts(await batch.arun("list.jsonl", settings="settings.yaml")) == (0, 1, 0, 1)
    assert server.prompts[-1] == "one"


async def test_a_misspelt_option_is_an_error(folder: Path, server: ChatServer) -> None:
    with pytest.raises(TypeError, match="limits"):
        await batch.arun(job_for(server.url), limits=3)  # type: ignore[call-arg]
    assert server.seen == []


async def test_a_limit_of_nothing_opens_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    summary = await batch.arun(job_for("local", engine="extractive"), limit=0)
    assert counts(summary) == (8, 0, 10, 0)


async def test_a_time_limit_leaves_the_other_requests_pending(
    folder: Path, server: ChatServer, never: Callable[[], Awaitable[None]]
) -> None:
    server.before_answer = never
    summary = await batch.arun(job_for(server.url, timeouts={"grace": 0}), max_duration=0)
    assert counts(summary) == (8, 0, 10, 0)


async def test_only_what_is_missing_is_sent(folder: Path, server: ChatServer) -> None:
    await batch.arun(job_for(server.url), limit=4)
    first = server.prompts
    summary = await batch.arun(job_for(server.url))
    assert counts(summary) == (0, 10, 0, 6)
    assert sorted(server.prompts) == sorted(f"word {number}" for number in range(10))
    assert server.prompts[:4] == first


# Results as they come


async def test_on_result_hears_of_each_result_once_it_is_on_disk(folder: Path, server: ChatServer) -> None:
    output = folder / "output" / "words.jsonl"
    heard: list[str] = []

    def hear(result: Result) -> None:
        assert result.id in {line["id"] for line in lines(output)}
        heard.append(result.id)

    await batch.arun(job_for(server.url), on_result=hear)
    assert sorted(heard) == [f"row-{number}" for number in range(10)]


async def test_what_on_result_raises_is_logged_and_ends_no_run(folder: Path, server: ChatServer) -> None:
    def fail(result: Result) -> None:
        raise ZeroDivisionError(result.id)

    summary = await batch.arun(job_for(server.url), on_result=fail)
    assert (summary.exit_code, summary.succeeded) == (0, 10)
    log = (folder / "output" / "words.jsonl.log").read_text(encoding="utf-8")
    assert log.count("the progress report failed; the run continues: ZeroDivisionError: row-") == 1
    assert log.count(" trace   ZeroDivisionError: row-") == 1


async def test_stream_yields_each_result_once_it_is_on_disk(folder: Path, server: ChatServer) -> None:
    output = folder / "output" / "words.jsonl"
    seen = []
    async for result in batch.stream(job_for(server.url)):
        assert result.id in {line["id"] for line in lines(output)}
        seen.append(result.text)
    assert sorted(map(str, seen)) == [f"echo: word {number}" for number in range(10)]
    assert [result async for result in batch.stream(job_for(server.url))] == []


async def test_leaving_a_stream_stops_the_run_and_leaves_the_others_pending(
    folder: Path, server: ChatServer, never: Callable[[], Awaitable[None]]
) -> None:
    async def first_only() -> None:
        if server.answered:
            await never()

    server.before_answer = first_only
    results = batch.stream(job_for(server.url, concurrency=1))
    async for result in results:
        assert result.id == "row-0"
        break
    await results.aclose()
    assert [line["id"] for line in lines(folder / "output" / "words.jsonl")] == ["row-0"]
    server.before_answer = None
    assert counts(await batch.arun(job_for(server.url))) == (0, 10, 0, 9)


async def test_a_cancelled_reader_takes_its_run_with_it(
    folder: Path, server: ChatServer, never: Callable[[], Awaitable[None]]
) -> None:
    """By the time the cancellation is through, nothing of the run is left and its output is free."""
    under_way = anyio.Event()

    async def tell_and_wait() -> None:
        under_way.set()
        await never()

    server.before_answer = tell_and_wait
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async for _ in batch.stream(job_for(server.url)):
                    pass

            tasks.start_soon(read)
            with anyio.fail_after(10):
                await under_way.wait()
            scope.cancel()
    assert scope.cancelled_caught
    with OutputLock(folder / "output" / "words.jsonl"):
        pass


# Errors as they are


async def test_errors_come_as_they_are_and_before_anything_is_sent(folder: Path, server: ChatServer) -> None:
    """Not wrapped in a group, by neither call."""
    held = job_for(server.url, name="held")
    foreign = folder / "output" / "foreign.jsonl"
    foreign.parent.mkdir()
    foreign.write_text("somebody else's\n")
    cases: list[tuple[Job, type[Exception], str]] = [
        ("missing.yaml", JobFileError, "no such file"),
        (folder, JobFileError, "is a folder"),
        ({"prompt": "hello"}, JobFileError, "it has no default"),
        (job_for(server.url, prompt="{{ no_such_column }}"), JobFileError, "no_such_column"),
        (job_for(server.url, api_key_env="NOT_SET_7163"), UsageError, "NOT_SET_7163 is not set"),
        (job_for("https://evil.example", api_key_env="OPENAI_API_KEY"), UsageError, "not trusted"),
        (held, OutputLockedError, "another run"),
        (job_for(server.url, name="foreign"), UsageError, "not written by promptjobs"),
    ]
    with OutputLock(folder / "output" / "held.jsonl"):
        for job, kind, words in cases:
            with pytest.raises(kind, match=words):
                await batch.arun(job)
            with pytest.raises(kind, match=words):
                _ = [result async for result in batch.stream(job)]
    assert server.seen == []


async def test_an_output_that_cannot_be_written_is_an_error_of_its_own(
    folder: Path, server: ChatServer
) -> None:
    (folder / "file").touch()
    with pytest.raises(OutputWriteError):
        await batch.arun(job_for(server.url), overrides={"output.path": folder / "file" / "out.jsonl"})
    assert server.seen == []


async def test_a_disk_that_fills_up_is_an_error_of_its_own_too(folder: Path, server: ChatServer) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(OutputWriteError):
            await batch.arun(job_for(server.url))
        with pytest.raises(OutputWriteError):
            _ = [result async for result in batch.stream(job_for(server.url))]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (await batch.arun(job_for(server.url))).succeeded == 10


async def test_an_early_end_is_no_exception(folder: Path, server: ChatServer) -> None:
    server.key = "sesame"
    summary = await batch.arun(job_for(server.url))
    assert counts(summary) == (7, 0, 10, 0)
    (reason,) = summary.reasons
    assert reason == (
        f"llama: auth: POST {server.url}/api/v1/ai/chat returned 401 Unauthorized: the key is wrong. "
        "No key was sent, because the job names none; set `api_key_env`."
    )
    assert len(server.seen) == 1


# Endpoints


async def test_one_job_speaks_both_dialects(folder: Path, server: ChatServer) -> None:
    models = [
        {"id": "a", "provider": "autonomous", "model": "summary", "base_url": server.url},
        {"id": "o", "provider": "openai", "model": "gpt", "base_url": f"{server.url}/v1"},
    ]
    job = {"name": "both", "models": models, "prompt": "{{ word }}", "inputs": {"jsonl": "rows.jsonl"}}
    assert counts(await batch.arun(job)) == (0, 20, 0, 20)
    assert sorted(set(server.paths)) == ["/api/v1/ai/summary", "/v1/chat/completions"]
    assert {line["id"] for line in lines(folder / "output" / "both.jsonl")} == {
        f"row-{number}/{model}" for number in range(10) for model in "ao"
    }


async def test_the_embedded_endpoint_serves_both_dialects_and_is_not_started_in_vain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [
        {"id": "a", "provider": "autonomous", "model": "summary"},
        {"id": "o", "provider": "openai", "model": "llama"},
    ]
    job = {
        "name": "local",
        "base_url": "local",
        "engine": "extractive",
        "models": models,
        "prompt": "{{ word }}",
        "inputs": {"jsonl": "rows.jsonl"},
    }
    assert counts(await batch.arun(job)) == (0, 20, 0, 20)
    assert {line["served_by"] for line in lines(folder / "output" / "local.jsonl")} == {"extractive"}

    monkeypatch.setattr("sys.executable", "/no/such/python")
    assert counts(await batch.arun(job)) == (0, 20, 0, 0)
    with pytest.raises((OSError, batch.LocalModelError)):  # it is tried where it is needed
        await batch.arun({**job, "prompt": "anew: {{ word }}"})
