"""Run the suite: the servers, the clients in turn, and what came out."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import measure, peers, report
from tests.bench.cores import cores
from tests.bench.paced import keeping_up
from tests.bench.replies import reply
from tests.bench.scenarios import CLIENTS, PACE, SCENARIOS, requests
from tests.bench.servers import MissingToolError, encrypted, streamed, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.scenarios import Client, Scenario


def main() -> int:
    """Measure, print the table, and write JSON and plot where asked to."""
    options = _options()
    python = Path(sys.executable) if options.ours else peers.environment()
    figures = report.Figures()
    try:
        for scenario in SCENARIOS:
            if not options.scenario or scenario.name in options.scenario:
                _measure(scenario, figures, python, options)
    except MissingToolError as error:
        print(error, file=sys.stderr)
        return 2
    print(report.table(figures), report.goals(figures), sep="\n\n")
    for name, value in figures.observations.items():
        print(f"{name}: {value:.3g}")
    versions = peers.own_versions() if options.ours else peers.versions(python)
    _write(figures.as_value(versions, _machine()), options.output, python)
    return 1 if figures.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition, fewer requests, no litellm")
    parser.add_argument("--ours", action="store_true", help="no peers, and so no environment for them")
    parser.add_argument("--scenario", action="append", help="only this one; may be repeated")
    parser.add_argument("--client", action="append", help="only clients whose name has this in it")
    parser.add_argument("--repeats", type=int, default=3, help="the figure is their median")
    parser.add_argument("--output", type=Path, help="directory for bench.json and bench.png")
    return parser.parse_args()


def _clients(scenario: Scenario, options: argparse.Namespace) -> list[Client]:
    return [
        client
        for client in CLIENTS
        if (client.ours or (scenario.peers and not options.ours))
        and not (options.quick and client.package == "litellm")
        and (not options.client or any(part in client.name for part in options.client))
    ]


def _measure(scenario: Scenario, figures: report.Figures, python: Path, options: argparse.Namespace) -> None:
    with _serving(scenario, python) as bench:
        clients = _clients(scenario, options)
        for repeat in range(1 if options.quick else options.repeats):
            for client in clients:  # in turn, so that a busy minute of the machine hits all of them
                _once(bench, client, figures, scale=0.25 if options.quick else 1.0)
            print(f"{scenario.name}: repetition {repeat + 1} done", file=sys.stderr)
        if not scenario.peers:
            figures.observations |= keeping_up(bench)


def _once(bench: measure.Bench, client: Client, figures: report.Figures, scale: float) -> None:
    scenario = bench.scenario
    if (scenario.name, client.name) in figures.failures:
        return
    try:
        figures.add(scenario, client.name, measure.slope(bench, client, requests(scenario, client, scale)))
    except measure.WrongTextError as error:
        figures.failures[scenario.name, client.name] = str(error)
        print(f"{scenario.name}: {client.name} failed: {error}", file=sys.stderr)


@contextmanager
def _serving(scenario: Scenario, python: Path) -> Iterator[measure.Bench]:
    client_core, server_core = cores()
    served = reply(scenario.events)
    with tempfile.TemporaryDirectory(prefix="promptjobs-bench-") as name:
        directory = Path(name)
        if scenario.server == "whole":
            server = whole(served.body, directory, server_core)
        else:
            pace = PACE if scenario.server == "paced" else None
            server = streamed(served.body, directory, server_core, pace=pace)
        with server as url:
            bench = measure.Bench(scenario, url, served.text, directory, python, client_core)
            if not scenario.tls:
                yield bench
                return
            with encrypted(url, directory, server_core) as secured:
                yield replace(bench, url=secured, authority=directory / "authority.pem")


def _machine() -> str:
    count = len(cores()) if cores()[0] is not None else 1
    return f"{platform.system()} {platform.machine()}, pinned to {count} cores"


def _write(value: dict[str, object], directory: Path | None, python: Path) -> None:
    if directory is None:
        return
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / "bench.json"
    target.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    command = [str(python), "-m", "tests.bench.plot", str(target), str(directory / "bench.png")]
    subprocess.run(command, check=True, cwd=measure.ROOT)


if __name__ == "__main__":
    sys.exit(main())
