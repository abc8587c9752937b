"""The parts of the benchmark suite: what it serves, what it counts as right, and how it sums up."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from batch.records import Reply
from batch.wire.reply_decoder import ReplyDecoder
from tests.bench import report
from tests.bench.measure import Bench, WrongTextError
from tests.bench.replies import reply
from tests.bench.scenarios import CLIENTS, COMMAND, SCENARIOS, Client, Scenario, requests
from tests.bench.servers import MissingToolError, encrypted, find, standing, streamed

needs_a_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the paced server is compiled, for Linux"
)
TINY = Scenario("tiny", 20, 4, 4, "event", "chunked")
BARE = next(client for client in CLIENTS if client.module == "bare")


@pytest.mark.parametrize("events", [8, 200, 2000])
def test_a_reply_is_the_same_each_time_and_holds_its_text(events: int) -> None:
    served = reply(events)
    decoder = ReplyDecoder("text/event-stream")
    decoder.feed(served.body)
    outcome = decoder.close()
    assert isinstance(outcome, Reply)
    assert outcome.text == served.text
    assert served == reply(events)
    assert served.body.count(b"data: ") == events + 1
    assert 180 <= len(served.body) / events <= 260


@needs_a_compiler
@pytest.mark.parametrize("pace", [None, 1000.0])
@pytest.mark.parametrize("client", [COMMAND, BARE], ids=["command", "bare"])
def test_our_clients_get_every_text_from_the_streaming_server(
    tmp_path: Path, pace: float | None, client: Client
) -> None:
    served = reply(TINY.events)
    with streamed(served.body, tmp_path, None, pace=pace) as url:
        bench = Bench(TINY, url, served.text, tmp_path, Path(sys.executable), None)
        cost = bench.cost(client, 6, 4)
        assert standing(url)["events"] == 6 * (TINY.events + 1)  # [DONE] is one too
    assert 0 < cost.cpu < 60
    assert cost.memory > 2**20


@needs_a_compiler
@pytest.mark.skipif(
    shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="nginx stands before the server"
)
def test_our_clients_get_every_text_over_tls(tmp_path: Path) -> None:
    served = reply(TINY.events)
    with streamed(served.body, tmp_path, None, pace=1000.0) as plain, encrypted(plain, tmp_path, None) as url:
        assert url.startswith("https://")
        authority = tmp_path / "authority.pem"
        bench = Bench(TINY, url, served.text, tmp_path, Path(sys.executable), None, authority)
        for client in (COMMAND, BARE):
            assert bench.cost(client, 6, 4).cpu > 0
        with pytest.raises(WrongTextError):
            replace(bench, authority=None).cost(BARE, 1, 1)
        assert standing(plain)["events"] == 2 * 6 * (TINY.events + 1)


@needs_a_compiler
@pytest.mark.parametrize("client", [COMMAND, BARE], ids=["command", "bare"])
def test_a_wrong_text_gives_no_figure(tmp_path: Path, client: Client) -> None:
    served = reply(TINY.events)
    with streamed(served.body, tmp_path, None, pace=None) as url:
        bench = Bench(TINY, url, served.text + "!", tmp_path, Path(sys.executable), None)
        with pytest.raises(WrongTextError):
            bench.cost(client, 2, 2)


def test_a_tool_that_is_missing_is_named_with_its_package() -> None:
    with pytest.raises(MissingToolError, match=r"no-such-tool.*apt-get install some-package"):
        find("no-such-tool", "some-package")


def test_paced_streams_run_in_whole_waves_and_slow_clients_ask_less_elsewhere() -> None:
    slow = min(CLIENTS, key=lambda client: client.weight)
    for scenario in SCENARIOS:
        if scenario.server == "paced":
            assert {requests(scenario, client, 0.1) for client in CLIENTS} == {scenario.in_flight}
        else:
            assert 2 <= requests(scenario, slow) < scenario.requests < requests(scenario, COMMAND)


def test_the_table_has_medians_and_how_many_times_as_much_a_peer_costs() -> None:
    figures = report.Figures()
    short, long = (next(each for each in SCENARIOS if each.name == name) for name in ("short", "long"))
    for run in (300.0, 100.0, 200.0):
        figures.add(short, COMMAND.name, run)
    figures.add(short, "openai SDK", 4000.0)
    figures.add(long, COMMAND.name, 4000.0)
    figures.failures["long", "openai SDK"] = "lost text"
    assert report.table(figures).splitlines() == [
        "| client | short, µs/request | long, µs/event |",
        "|---|---|---|",
        "| promptjobs run | 200 | 2.00 |",
        "| openai SDK | 4000 (×20.0) | failed |",
    ]
    assert report.goals(figures) == "reached: short, 1/20.0 of openai SDK (goal 1/15)"
    assert figures.as_value({}, "here")["medians"]["short"] == {"promptjobs run": 200.0, "openai SDK": 4000.0}
