"""What a run loads that has nothing to send."""

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

TO_SEND = {"aiohttp", "batch.providers.client", "batch.providers.attempt", "batch.local_model.parent"}
"""What only a run needs that sends something."""

FOR_SOME_JOBS = {"genai_prices", "jsonschema", "kreuzberg", "pyarrow", "tqdm", "xllamacpp"}
"""What only some jobs and terminals need."""


def loaded_by(command: Command, *arguments: str) -> set[str]:
    """Run the command in a process of its own, and return the modules that it has loaded at its end."""
    code = (
        "import atexit, sys\n"
        f"sys.argv = ['promptjobs', *{list(arguments)!r}]\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "from batch.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing was sent" in ended.stderr
    return set(ended.stdout.split())


def test_a_run_with_nothing_to_send_loads_no_http_client(cli: Cli, promptjobs: Command) -> None:
    (cli.folder / "rows.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n')
    with served(ChatServer()) as server:
        (cli.folder / "job.yaml").write_text(JOB.format(url=server.url, prompt='"{{ text }}"'))
        assert cli("run", "job.yaml").code == 0
        assert server.answered == 2
    loaded = loaded_by(promptjobs, "run", "job.yaml")
    assert "batch.results.result_log" in loaded
    assert loaded & (TO_SEND | FOR_SOME_JOBS) == set()
