"""Changed requests: the notices before anything is sent, and the handling of their earlier answers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

from batch.codec import decode_result, encode_result
from batch.testing import (
    DONE,
    LAST_CHUNK,
    FaultServer,
    Script,
    Send,
    chunk,
    delta,
    event,
    finish,
    head,
    status,
)
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.records import Result
    from batch.testing import Received
    from tests.conftest import Ended
    from tests.support.cli_support import Cli

PRICE = {"input": 2.5, "output": 10.0}
"""For a million tokens."""


class Quota:
    """A server that answers with the prompt, and sums the billed tokens."""

    def __init__(self) -> None:
        self.requests = self.prompt_tokens = self.completion_tokens = 0
        self.refused: set[str] = set()

    def __call__(self, received: Received) -> Script:
        if received.method == "GET":  # `validate` asks for the models
            return status(404)
        prompt = received.messages[-1]["content"]
        if any(word in prompt for word in self.refused):
            return status(422, b"no")
        usage = {"prompt_tokens": len(prompt), "completion_tokens": 7 + len(prompt) % 5}
        usage["total_tokens"] = sum(usage.values())
        self.requests += 1
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]
        said = delta(f"about {prompt}") + finish() + event({"choices": [], "usage": usage}) + DONE
        return [Send(head() + chunk(said) + LAST_CHUNK)]

    @property
    def cost(self) -> float:
        return (self.prompt_tokens * PRICE["input"] + self.completion_tokens * PRICE["output"]) / 1e6


@contextmanager
def faulty(meter: Quota) -> Iterator[FaultServer]:
    """The server in a thread of its own, for tests without a loop."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(FaultServer(meter)) as server:
        yield server


class Night:
    """A job of rows, its output and what is beside it."""

    def __init__(self, cli: Cli, server: FaultServer) -> None:
        self.cli = cli
        self.server = server
        self.output = cli.folder / "output" / "job.jsonl"

    def write(self, prompts: dict[str, str], *, on_bad_row: str = "stop", **output: object) -> None:
        rows = [json.dumps({"id": name, "about": prompt}) + "\n" for name, prompt in prompts.items()]
        (self.cli.folder / "rows.jsonl").write_text("".join(rows))
        job = {
            "provider": "openai",
            "model": {"model": "m", "price": PRICE},
            "base_url": self.server.url,
            "prompt": "{{ about }}",
            "inputs": {"jsonl": "rows.jsonl", "on_bad_row": on_bad_row},
            "output": output,
        }
        (self.cli.folder / "job.yaml").write_text(json.dumps(job))

    def run(self, *flags: str, code: int = 0) -> Ended:
        ended = self.cli("run", "job.yaml", *flags)
        assert ended.code == code, ended.stderr
        return ended

    def beside(self, ending: str) -> Path:
        return self.output.with_name(f"job.jsonl{ending}")

    def results(self, ending: str = "") -> dict[str, Result]:
        """The results in a file, by id; fails where an id comes twice."""
        path = self.beside(ending)
        found = [decode_result(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        assert len({result.id for result in found}) == len(found)
        return {result.id: result for result in found}

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.beside(".summary.json").read_bytes())
        return found


def prompts(number: int, changed: int = 0, word: str = "changed") -> dict[str, str]:
    """Prompts by id; the first few of them changed."""
    return {f"row-{n}": f"{word} {n}" if n < changed else f"number {n}" for n in range(number)}


def test_three_nights_with_a_prompt_that_is_edited_on_the_second(cli: Cli) -> None:
    meter = Quota()
    with faulty(meter) as server:
        night = Night(cli, server)

        night.write(prompts(60))
        night.run("-q")
        first = night.results()
        bills = [night.summary()]

        night.write(prompts(60, changed=12))
        second = night.run()
        bills.append(night.summary())
        said = "12 of 60 requests have changed since their last results; their 12 succeeded answers move to"
        assert f"{said} job.jsonl.superseded.jsonl\n" in second.stderr
        assert meter.requests == 72

        night.write(prompts(60, changed=12) | {"row-60": "one more"})
        third = night.run("-q")
        bills.append(night.summary())
        assert third.stderr == ""
        assert meter.requests == 73

        kept, now = night.results(".superseded.jsonl"), night.results()
        assert sorted(kept) == sorted(f"row-{n}" for n in range(12))
        assert {**now, **kept} == {**first, "row-60": now["row-60"]}, "every answer of the first night"
        assert [now[f"row-{n}"].text for n in (0, 11, 12)] == [
            "about changed 0",
            "about changed 11",
            "about number 12",
        ]

        assert sum(bill["attempts"] for bill in bills) == meter.requests
        assert sum(bill["prompt_tokens"] for bill in bills) == meter.prompt_tokens
        assert sum(bill["completion_tokens"] for bill in bills) == meter.completion_tokens
        assert sum(bill["cost"] for bill in bills) == pytest.approx(meter.cost, rel=1e-9)
        paid = [*now.values(), *kept.values()]
        assert sum(result.cost or 0 for result in paid) == pytest.approx(meter.cost, rel=1e-9)

        status_of_job = json.loads((cli("status", "job.yaml", "--json")).stdout)
        assert status_of_job["requests"]["done"] == 61
        assert (status_of_job["superseded"], status_of_job["orphans"]) == (0, 0)
        assert (cli("check", "job.yaml")).code == 0
        of_kept = json.loads((cli("status", str(night.beside(".superseded.jsonl")), "--json")).stdout)
        assert (of_kept["succeeded"], of_kept["unreadable"]) == (12, 0)
        shown = cli("show", str(night.beside(".superseded.jsonl")), "row-3")
        assert "about number 3" in shown.stdout

        night.run("-q")
        assert (meter.requests, night.summary()) == (73, bills[-1]), "nothing sent, nothing replaced"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (0, ""),
        (1, "1 of 5 requests has changed since its last result; its succeeded answer moves to "),
        (2, "2 of 5 requests have changed since their last results; their 2 succeeded answers move to "),
        (5, "5 of 5 requests have changed since their last results; their 5 succeeded answers move to "),
    ],
)
def test_it_is_reported_before_anything_is_sent(cli: Cli, changed: int, said: str) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(5))
        night.run()
        night.beside(".log").unlink()
        night.write(prompts(5, changed))
        ended = night.run()
        log = night.beside(".log").read_text()
        assert said in ended.stderr
        assert ("changed" in ended.stderr) is bool(changed)
        assert not changed or log.index(said) < log.index(" start ")


def test_changed_requests_that_had_failed_are_worth_a_notice(cli: Cli) -> None:
    meter = Quota()
    meter.refused = {"number 0", "number 1"}
    with faulty(meter) as server:
        night = Night(cli, server)
        night.write(prompts(4))
        night.run(code=1)
        night.write(prompts(4, changed=2), on_change="refuse")
        ended = night.run()
        assert "2 of 4 requests have changed since their last results\n" in ended.stderr
        assert night.results(".superseded.jsonl") == {}
        night.write(prompts(4, changed=3, word="again"))
        meter.refused = {"again 0"}
        ended = night.run(code=1)
        assert "3 of 4 requests have changed since their last results; their 3 succeeded answers move" in (
            ended.stderr
        )
        assert sorted(night.results(".superseded.jsonl")) == ["row-0", "row-1", "row-2"]
        assert night.results()["row-0"].status == "failed"


def test_a_job_that_is_read_while_it_runs_reports_it_at_the_end(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(6), on_bad_row="skip")
        night.run()
        night.write(prompts(6, changed=2), on_bad_row="skip")
        ended = night.run()
        said = "2 of 6 requests had changed; 2 succeeded answers have moved to job.jsonl.superseded.jsonl"
        assert said in ended.stderr
        assert sorted(night.results(".superseded.jsonl")) == ["row-0", "row-1"]
        assert "changed" not in (night.run()).stderr


def test_a_row_that_went_bad_leaves_its_answer_beside_the_output(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(3), on_bad_row="skip")
        night.run()
        rows = cli.folder / "rows.jsonl"
        rows.write_text(rows.read_text().replace('"about": "number 1"', '"other": 1'))
        ended = night.run(code=1)
        assert "1 succeeded answer has moved to job.jsonl.superseded.jsonl" in ended.stderr
        assert night.results()["row-1"].status == "failed"
        assert night.results(".superseded.jsonl")["row-1"].text == "about number 1"


@pytest.mark.parametrize("on_bad_row", ["stop", "skip"])
def test_replace_drops_the_earlier_answers(cli: Cli, on_bad_row: str) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(3), on_bad_row=on_bad_row)
        night.run()
        night.write(prompts(3, changed=1), on_bad_row=on_bad_row, on_change="replace")
        ended = night.run()
        assert ("; its succeeded answer is replaced" in ended.stderr) or (
            "1 succeeded answer was replaced" in ended.stderr
        )
        assert night.results()["row-0"].text == "about changed 0"
        assert not night.beside(".superseded.jsonl").exists()


@pytest.mark.parametrize("on_bad_row", ["stop", "skip"])
@pytest.mark.parametrize("flags", [[], ["--limit", "1"], ["--prune"]])
def test_refuse_sends_nothing(cli: Cli, on_bad_row: str, flags: list[str]) -> None:
    meter = Quota()
    with faulty(meter) as server:
        night = Night(cli, server)
        night.write(prompts(3), on_bad_row=on_bad_row, on_change="refuse")
        night.run()
        before, summary = night.output.read_bytes(), night.summary()
        night.write(prompts(4, changed=2), on_bad_row=on_bad_row, on_change="refuse")
        ended = night.run(*flags, code=2)
        assert "2 of 4 requests have changed" in ended.stderr
        assert "`output.on_change: refuse` does not allow" in ended.stderr
        assert (night.output.read_bytes(), night.summary(), meter.requests) == (before, summary, 3)
        night.write(prompts(4), on_bad_row=on_bad_row, on_change="refuse")
        night.run()
        assert meter.requests == 4


def test_what_a_limit_leaves_pending_keeps_its_answer_in_the_output(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(4))
        night.run()
        night.write(prompts(4, changed=4))
        night.run("--limit", "1", code=8)
        assert len(night.results(".superseded.jsonl")) == 1
        assert len(night.results()) == 4
        ended = night.run()
        assert "3 of 4 requests have changed" in ended.stderr
        assert {result.text for result in night.results(".superseded.jsonl").values()} == {
            f"about number {n}" for n in range(4)
        }


def test_retry_sets_answers_aside_as_run_does(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(2))
        night.run()
        night.write(prompts(2, changed=1))
        ended = cli("retry", "job.yaml")
        assert "its succeeded answer moves to job.jsonl.superseded.jsonl" in ended.stderr
        assert sorted(night.results(".superseded.jsonl")) == ["row-0"]


def test_pruning_clears_what_earlier_runs_have_set_aside(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(3))
        night.run()
        night.write(prompts(3, changed=1))
        night.run()
        night.write(prompts(2, changed=2))
        night.run("--prune")
        assert sorted(night.results()) == ["row-0", "row-1"]
        assert sorted(night.results(".superseded.jsonl")) == ["row-1"], "what this run has set aside"
        night.run("--prune")
        assert not night.beside(".superseded.jsonl").exists()
        assert sorted(night.results()) == ["row-0", "row-1"]


@pytest.mark.parametrize("on_bad_row", ["stop", "skip"])
@pytest.mark.parametrize("kind", ["another program's", "a link"])
def test_where_answers_cannot_be_kept_nothing_is_sent(cli: Cli, on_bad_row: str, kind: str) -> None:
    meter = Quota()
    with faulty(meter) as server:
        night = Night(cli, server)
        night.write(prompts(2), on_bad_row=on_bad_row)
        night.run()
        target = cli.folder / "profile"
        target.write_text("shopping list\n")
        if kind == "a link":
            target.write_bytes(encode_result(succeeded("x")))
            night.beside(".superseded.jsonl").symlink_to(target)
        else:
            night.beside(".superseded.jsonl").write_text("shopping list\n")
        before, content = night.output.read_bytes(), target.read_bytes()
        night.write(prompts(2, changed=1), on_bad_row=on_bad_row)
        ended = night.run(code=2)
        assert "job.jsonl.superseded.jsonl" in ended.stderr
        assert (night.output.read_bytes(), target.read_bytes(), meter.requests) == (before, content, 2)
        night.write(prompts(2, changed=1), on_bad_row=on_bad_row, on_change="replace")
        night.run()


@pytest.mark.parametrize("ending", [".superseded.jsonl", ".runs.jsonl"])
def test_files_of_superseded_answers_and_histories_are_no_documents(cli: Cli, ending: str) -> None:
    folder = cli.folder
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(2))
        night.run()
        night.write(prompts(2, changed=2))
        night.run()
        assert night.beside(ending).exists()
        (folder / "other.yaml").write_text(
            f"provider: openai\nmodel: m\nbase_url: {server.url}\nprompt: '{{{{ name }}}}'\n"
            f"inputs: {{files: 'output/*{ending}'}}\n"
        )
        assert "no document" in (cli("validate", "other.yaml")).stderr


def test_the_name_of_such_a_file_is_no_output(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(2), path="output/job.jsonl.superseded.jsonl")
        ended = cli("run", "job.yaml")
        assert ended.code == 2
        assert "output.path" in ended.stderr


def test_a_dry_run_says_where_answers_would_go(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(3))
        night.run()
        night.write(prompts(3, changed=2))
        ended = night.run("--dry-run")
        assert "their 2 succeeded answers move to job.jsonl.superseded.jsonl" in ended.stderr + ended.stdout
        night.write(prompts(3, changed=2), on_change="refuse")
        ended = night.run("--dry-run")
        assert "does not allow" in ended.stderr


# The summary of a run that had nothing to do


def test_the_summary_of_the_last_run_that_sent_something_stays(cli: Cli) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(3))
        night.run("--limit", "0", code=8)
        assert (night.summary()["attempts"], night.summary()["exit_code"]) == (0, 8)
        night.run()
        sent = night.summary()
        assert sent["attempts"] == 3
        for flags in ([], ["--limit", "0"], ["--prune"], ["-q"]):
            ended = night.run(*flags, "--json")
            assert ended.summary["attempts"] == 0
            assert night.summary() == sent
        night.write(prompts(4))
        night.run()
        assert night.summary()["attempts"] == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"attempts": "7"}', b"\xff"])
def test_a_damaged_summary_is_replaced(cli: Cli, damage: bytes) -> None:
    with faulty(Quota()) as server:
        night = Night(cli, server)
        night.write(prompts(1))
        night.run()
        night.beside(".summary.json").write_bytes(damage)
        night.run()
        assert night.summary()["succeeded"] == 1
