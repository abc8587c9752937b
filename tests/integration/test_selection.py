"""Sending some requests and not others: ``run --only``, ``run --force`` and ``retry --code``.

And the counts that every command gives of the same job.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from batch.codec import decode_result
from batch.results.lock import OutputLock
from batch.testing import DONE, LAST_CHUNK, FaultServer, Script, Send, chunk, delta, finish, head, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result
    from batch.testing import Received
    from tests.conftest import Ended
    from tests.support.cli_support import Cli


class Answers:
    """Answers with a number that grows; refuses prompts by the words in ``refused``, with their statuses."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: dict[str, int] = {}

    def __call__(self, received: Received) -> Script:
        prompt = received.messages[-1]["content"]
        self.asked.append(prompt)
        for word, number in self.refused.items():
            if word in prompt:
                return status(number, b"no")
        said = delta(f"answer {len(self.asked)}") + finish() + DONE
        return [Send(head() + chunk(said) + LAST_CHUNK)]


@contextmanager
def faulty(answers: Answers) -> Iterator[FaultServer]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(FaultServer(answers)) as server:
        yield server


class Job:
    """``job.yaml`` with requests that are asked about by their ids, and its output."""

    def __init__(self, cli: Cli, server: FaultServer, answers: Answers) -> None:
        self.cli = cli
        self.answers = answers
        self.output = cli.folder / "output" / "job.jsonl"
        self._url = server.url

    def write(self, *ids: str, word: str = "about", **more: object) -> None:
        rows = [json.dumps({"id": name}) + "\n" for name in ids]
        (self.cli.folder / "rows.jsonl").write_text("".join(rows))
        job: dict[str, object] = {
            "provider": "openai",
            "model": "m",
            "base_url": self._url,
            "prompt": f"{word} {{{{ id }}}}",
            "inputs": {"jsonl": "rows.jsonl"},
            "concurrency": 1,
            "retries": {"max_attempts": 1},
        }
        (self.cli.folder / "job.yaml").write_text(json.dumps(job | more))

    def __call__(self, command: str, *flags: str, code: int = 0) -> Ended:
        self.answers.asked.clear()
        ended = self.cli(command, "job.yaml", *flags)
        assert ended.code == code, ended.stderr
        return ended

    @property
    def asked(self) -> list[str]:
        """The ids of the requests that the last command sent, in order."""
        return [prompt.split()[-1] for prompt in self.answers.asked]

    def results(self, ending: str = "") -> dict[str, Result]:
        path = self.output.with_name(f"job.jsonl{ending}")
        lines = path.read_bytes().splitlines() if path.exists() else []
        return {result.id: result for result in map(decode_result, lines)}


@pytest.fixture
def job(cli: Cli) -> Iterator[Job]:
    answers = Answers()
    with faulty(answers) as server:
        yield Job(cli, server, answers)


SKIPS = [pytest.param({}, id="planned"), pytest.param({"on_bad_row": "skip"}, id="read as it runs")]


# --only


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize(
    ("patterns", "sent"),
    [
        (["a/1"], ["a/1"]),
        (["a/*"], ["a/1", "a/2"]),
        (["*"], ["a/1", "a/2", "b[1]", "c"]),
        (["b[1]"], ["b[1]"]),
        (["c", "a/?"], ["a/1", "a/2", "c"]),
    ],
)
def test_only_the_named_requests_are_sent(
    job: Job, skip: dict[str, str], patterns: list[str], sent: list[str]
) -> None:
    job.write("a/1", "a/2", "b[1]", "c", inputs={"jsonl": "rows.jsonl", **skip})
    flags = [part for pattern in patterns for part in ("--only", pattern)]
    left = 4 - len(sent)
    ended = job("run", *flags, code=8 if left else 0)
    assert job.asked == sent
    assert list(job.results()) == sent
    assert (f"pending requests that were not selected: {left}" in ended.stderr) == bool(left)
    job("run")
    assert sorted([*job.asked, *sent]) == ["a/1", "a/2", "b[1]", "c"]


@pytest.mark.parametrize("skip", SKIPS)
def test_an_id_that_no_request_has_is_named_before_anything_is_sent(job: Job, skip: dict[str, str]) -> None:
    job.write("a", "b", inputs={"jsonl": "rows.jsonl", **skip})
    for flags in ([], ["--dry-run"]):
        ended = job("run", "--only", "a", "--only", "x\x1b*", *flags, code=2)
        assert job.asked == []
        assert "--only: no request of job.yaml has the id x\\x1b*; `promptjobs show job.yaml`" in (
            ended.stderr.replace(f"{job.cli.folder}/", "")
        )


def test_only_works_with_one_job_file(job: Job) -> None:
    job.write("a")
    ended = job("run", "job.yaml", "--only", "a", code=2)
    assert "--only selects requests of one job file" in ended.stderr


def test_what_was_not_selected_is_neither_changed_nor_lost(job: Job) -> None:
    job.write("a", "b", "c")
    job.answers.refused = {"c": 500}
    job("run", code=1)
    before = job.results()
    job.write("a", "b", "c", word="more about")
    job("run", "--only", "a", code=8)
    after = job.results()
    assert job.asked == ["a"]
    assert {name: after[name] for name in "bc"} == {name: before[name] for name in "bc"}
    assert job.results(".superseded.jsonl") == {"a": before["a"]}


def test_a_dry_run_says_what_is_left_out(job: Job) -> None:
    job.write("a", "b", "c")
    shown = json.loads(job("run", "--only", "b", "--dry-run", "--json").stdout)
    assert (shown["total"], shown["to_send"], shown["left_out"], shown["first"]["id"]) == (3, 1, 2, "b")
    lines = job("run", "--only", "b", "--dry-run").stdout.splitlines()
    assert {"requests   3", "to send    1", "left out   2, not selected"} <= set(lines)


# --force


@pytest.mark.parametrize("skip", SKIPS)
def test_force_sends_what_has_succeeded_and_keeps_its_answers(job: Job, skip: dict[str, str]) -> None:
    job.write("a", "b", inputs={"jsonl": "rows.jsonl", **skip})
    job("run")
    before = job.results()
    job("run")
    assert job.asked == []
    ended = job("run", "--force")
    assert job.asked == ["a", "b"]
    assert (
        "2 of 2 requests have succeeded and will be sent again; their answers move to " in ended.stderr
        or ("2 had succeeded and were sent again; 2 succeeded answers have moved to " in ended.stderr)
    )
    assert job.results(".superseded.jsonl") == before
    assert list(job.results()) == ["a", "b"]


def test_force_with_only_sends_one_again(job: Job) -> None:
    job.write("a", "b", "c")
    job("run")
    before = job.results()
    job("run", "--force", "--only", "b", "-q")
    assert job.asked == ["b"]
    assert job.results(".superseded.jsonl") == {"b": before["b"]}
    assert job.results()["b"] != before["b"]
    shown = json.loads(job("run", "--force", "--only", "b", "--dry-run", "--json").stdout)
    assert (shown["to_send"], shown["superseding"], shown["left_out"]) == (1, 1, 2)


def test_a_forced_request_that_fails_has_failed_and_its_answer_is_kept(job: Job) -> None:
    job.write("a", "b")
    job("run")
    before = job.results()
    job.answers.refused = {"about a": 422}
    ended = job("run", "--force", "--json", code=1)
    assert (ended.summary["succeeded"], ended.summary["failed"], ended.summary["pending"]) == (1, 1, 0)
    assert job.results()["a"].status == "failed"
    assert job.results(".superseded.jsonl") == before


def test_force_is_refused_where_answers_may_not_be_superseded(job: Job) -> None:
    job.write("a", output={"on_change": "refuse"})
    job("run")
    ended = job("run", "--force", code=2)
    assert job.asked == []
    assert "1 of 1 requests has succeeded and will be sent again; its answer would be superseded, which" in (
        ended.stderr
    )


# retry --code


def test_retry_sends_only_what_has_failed_with_the_code(job: Job) -> None:
    job.write("good", "busy", "gone", "bad")
    job.answers.refused = {"busy": 503, "gone": 500, "bad": 422}
    job("run", code=1)
    job.write("good", "busy", "gone", "bad", "new")
    job.answers.refused = {}
    job("retry", "--code", "http_503", code=8)
    assert job.asked == ["busy"]
    job("retry", "--code", "http_5*", code=8)
    assert job.asked == ["gone"]
    job("retry", "--code", "http_429", code=8)
    assert job.asked == []
    job("retry")
    assert sorted(job.asked) == ["bad", "new"]


def test_a_mistyped_code_sends_nothing(job: Job) -> None:
    job.write("a")
    assert "did you mean `http_503`?" in job("retry", "--code", "503", code=2).stderr
    assert job.asked == []


# Counts


def counts(job: Job) -> set[tuple[int, int, int, int]]:
    """Succeeded, failed, pending and all requests, as each command counts them."""
    status_json = json.loads(job("status", "--json").stdout)["requests"]
    check = json.loads(job.cli("check", "job.yaml", "--json").stdout)
    rows = [json.loads(line) for line in job("show", "--json").stdout.splitlines()]
    shown = [row["status"] for row in rows]
    words = dict(line.split()[:2] for line in job("status").stdout.splitlines())
    last = job("show").stdout.splitlines()[-1]
    assert last.startswith(f"{len(rows)} requests: {shown.count('succeeded')} succeeded, ")
    return {
        tuple(status_json[key] for key in ("done", "failed", "pending", "total")),
        tuple(check[key] for key in ("succeeded", "failed", "pending", "requests")),
        (*(shown.count(each) for each in ("succeeded", "failed", "pending")), len(rows)),
        tuple(int(words[key].rstrip(";")) for key in ("succeeded", "failed", "pending", "requests")),
    }


def summary(ended: Ended) -> tuple[Any, ...]:
    assert sum(ended.summary["codes"].values()) == ended.summary["failed"]
    return tuple(ended.summary[key] for key in ("succeeded", "failed", "pending", "total"))


@pytest.mark.parametrize("skip", SKIPS)
def test_counts_mean_the_same_everywhere(job: Job, skip: dict[str, str]) -> None:
    inputs = {"jsonl": "rows.jsonl", **skip}
    job.write("a", "b", "busy", "bad", "c", inputs=inputs)
    job.answers.refused = {"busy": 503, "bad": 422}
    assert summary(job("run", "--limit", "4", "--json", code=8)) == (2, 2, 1, 5)
    assert counts(job) == {(2, 2, 1, 5)}
    # The failed request is sent again and fails again: it is counted once.
    assert summary(job("run", "--json", code=1)) == (3, 2, 0, 5)
    assert counts(job) == {(3, 2, 0, 5)}
    # A failed request that the run did not come to is still a failed one.
    job.write("a", "b", "busy", "bad", "c", "d", "e", inputs=inputs)
    assert summary(job("run", "--only", "d", "--json", code=8)) == (4, 2, 1, 7)
    assert counts(job) == {(4, 2, 1, 7)}
    job.answers.refused = {}
    assert summary(job("retry", "--code", "http_503", "--json", code=8)) == (5, 1, 1, 7)
    assert counts(job) == {(5, 1, 1, 7)}
    assert summary(job("retry", "--json")) == (7, 0, 0, 7)
    assert counts(job) == {(7, 0, 0, 7)}


def test_a_changed_request_is_pending_everywhere(job: Job) -> None:
    job.write("a", "b")
    job("run")
    job.write("a", "b", "c", word="more about")
    assert counts(job) == {(0, 0, 3, 3)}
    assert summary(job("run", "--limit", "1", "--json", code=8)) == (1, 0, 2, 3)
    assert counts(job) == {(1, 0, 2, 3)}


# Whether a run is active


def test_status_says_whether_a_run_is_active_and_by_whom(job: Job) -> None:
    job.write("a")
    job("run", "-q")
    assert json.loads(job("status", "--json").stdout)["running"] is None
    with OutputLock(job.output):
        for target in ("job.yaml", "output/job.jsonl"):
            found = json.loads(job.cli("status", target, "--json").stdout)["running"]
            lock = json.loads(job.output.with_name("job.jsonl.lock").read_bytes())
            assert found == lock
            words = job.cli("status", target).stdout.splitlines()[1]
            assert (
                words == f"running    yes, process {lock['pid']} on {lock['host']}, since {lock['started']}"
            )
    assert job("status").stdout.splitlines()[1] == "running    no"
