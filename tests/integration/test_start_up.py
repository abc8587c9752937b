"""What is loaded by an import, by help, and by a run with nothing to send."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.chat_server import ChatServer
from tests.support.cli_support import served

if TYPE_CHECKING:
    from tests.conftest import Command
    from tests.support.cli_support import Cli

JOB = """\
name: job
provider: openai
base_url: {url}/v1
model: m
prompt: {prompt}
inputs: {{jsonl: rows.jsonl}}
"""

TO_SEND = {
    "aiohttp",
    "batch.app.run.engine",
    "batch.local_model.parent",
    "batch.providers.client",
    "batch.runner",
    "batch.scheduling.target_queue",
    "batch.wire.reply_decoder",
}
"""What only a run needs that sends something."""

FOR_SOME_JOBS = {"genai_prices", "jsonschema", "kreuzberg", "pyarrow", "tqdm", "xllamacpp"}
"""What only some jobs and terminals need."""


PACKAGES = {
    "aiohttp",
    "anyio",
    "filelock",
    "jinja2",
    "msgspec",
    "pydantic",
    "tqdm",
    "uvloop",
    "yaml",
    "yarl",
}
"""What an installed promptjobs may import, click aside."""


def loaded_by(command: Command, code: str) -> tuple[str, set[str]]:
    """Run Python code in a process of its own; return what it wrote to stderr, and the modules at its end."""
    report = "import atexit, sys; atexit.register(lambda: print('', *sys.modules, sep='\\n'))\n"
    ended = subprocess.run(
        [sys.executable, "-c", report + code],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stderr, set(ended.stdout.splitlines())


def promptjobs_with(*arguments: str) -> str:
    """The code of the command."""
    return f"sys.argv = ['promptjobs', *{arguments!r}]; from batch.cli import main; main()"


def test_an_import_of_the_package_loads_nothing_else(promptjobs: Command) -> None:
    _, loaded = loaded_by(promptjobs, "import batch")
    assert {name for name in loaded if name.split(".")[0] == "batch"} == {"batch", "batch._version"}
    assert loaded & (PACKAGES | {"click"}) == set()


def test_help_loads_click_and_no_other_package(promptjobs: Command) -> None:
    _, loaded = loaded_by(promptjobs, promptjobs_with("--help"))
    assert "click" in loaded
    assert loaded & (PACKAGES | {"asyncio", "decimal"}) == set()
    assert loaded & {"batch.amounts", "batch.diagnostics", "batch.files"} == set()


def test_a_run_with_nothing_to_send_loads_no_http_client(cli: Cli, promptjobs: Command) -> None:
    (cli.folder / "rows.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n')
    with served(ChatServer()) as server:
        (cli.folder / "job.yaml").write_text(JOB.format(url=server.url, prompt='"{{ text }}"'))
        assert cli("run", "job.yaml").code == 0
        assert server.answered == 2
    said, loaded = loaded_by(promptjobs, promptjobs_with("run", "job.yaml"))
    assert "nothing was sent" in said
    assert "batch.results.result_log" in loaded
    assert loaded & (TO_SEND | FOR_SOME_JOBS) == set()


def test_a_run_in_one_process_loads_no_executor(promptjobs: Command) -> None:
    (promptjobs.folder / "rows.jsonl").write_text('{"id": "a", "text": "one"}\n')
    with served(ChatServer()) as server:
        (promptjobs.folder / "job.yaml").write_text(JOB.format(url=server.url, prompt='"{{ text }}"'))
        _, loaded = loaded_by(promptjobs, promptjobs_with("run", "job.yaml"))
        assert server.answered == 1
    assert loaded >= TO_SEND - {"batch.local_model.parent"}
    assert not {name for name in loaded if name.startswith(("batch.executors", "multiprocessing", "ray"))}
