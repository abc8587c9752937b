"""How long a table of many rows takes to be checked, and until the first request goes out.

    python -m tests.bench.measure_inputs --rows 1000000

It writes a CSV file of so many rows (about 100 bytes each) and a job with two prompts into a temporary
folder, and starts the real command: ``validate``, and ``run`` against a loopback server with ``on_bad_row:
stop`` and ``skip``, until the first request has come. Seconds are those on the wall, and the processor's;
memory is the most that the process has held.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from aiohttp import web

from tests.support.chat_server import ChatServer, serving

JOB = """\
provider: openai
base_url: {url}/v1
model: m
prompts:
  - {{id: sort, prompt: "Which of these is it about: {{{{ text }}}}"}}
  - {{id: sum, prompt: "In one word: {{{{ text }}}}"}}
inputs: {{csv: rows.csv, id_field: id, on_bad_row: {on_bad_row}}}
"""


def write_rows(path: Path, rows: int) -> None:
    """A table with an id and a text a row."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text,stars\n")
        for number in range(rows):
            text = f"Review number {number}: the kettle boils, the lid holds, and the handle stays cool."
            file.write(f'row-{number},"{text}",{number % 5}\n')


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The real command in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "batch", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def ended(process: subprocess.Popen[bytes]) -> str:
    """What the process has used of the processor and of memory."""
    _, _, usage = os.wait4(process.pid, 0)
    return f"{usage.ru_utime + usage.ru_stime:.1f} s CPU, {usage.ru_maxrss / 1024:.0f} MiB"


class Arrivals(ChatServer):
    """A server that notes when a request comes, and answers none before the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = anyio.Event()
        self.end = anyio.Event()
        self.before_answer = self._note

    async def _note(self) -> None:
        self.first.set()
        await self.end.wait()
        raise web.HTTPGone


async def first_request(folder: Path, on_bad_row: str) -> str:
    """What it takes until a run's first request has come."""
    server = Arrivals()
    async with serving(server):
        write_job(folder, server.url, on_bad_row)
        began = time.perf_counter()
        process = start(folder, "run", "job.yaml", "--no-progress")
        await server.first.wait()
        seconds = time.perf_counter() - began
        process.send_signal(signal.SIGKILL)
        used = ended(process)
        server.end.set()
        return f"{seconds:.1f} s, {used}"


def write_job(folder: Path, url: str, on_bad_row: str) -> None:
    """The job over the table."""
    (folder / "job.yaml").write_text(JOB.format(url=url, on_bad_row=on_bad_row), encoding="utf-8")


async def measure(rows: int) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.csv", rows)
        write_job(folder, "http://127.0.0.1:9", "stop")
        began = time.perf_counter()
        used = ended(start(folder, "validate", "job.yaml"))
        print(f"validate: {time.perf_counter() - began:.1f} s, {used}")
        for on_bad_row in ("stop", "skip"):
            print(f"first request, on_bad_row {on_bad_row}: {await first_request(folder, on_bad_row)}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure a job over a CSV file of many rows.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    anyio.run(measure, parser.parse_args().rows)


if __name__ == "__main__":
    main()
