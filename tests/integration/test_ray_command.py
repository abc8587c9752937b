"""``promptjobs run --executor ray``: what is refused before Ray starts. ``test_ray`` has the rest."""

from __future__ import annotations

import json
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

RAY = ("--executor", "ray", "--workers", "2")

REFUSED = {
    "no number of workers": (("--executor", "ray"), "--executor ray needs --workers N"),
    "workers without an executor": (("--workers", "2"), "--workers needs --executor ray"),
    "keys without an executor": (("--send-keys",), "--send-keys needs --executor ray"),
    "processes, too": ((*RAY, "--processes", "2"), "--processes cannot be combined with --executor ray"),
}


@pytest.fixture(autouse=True)
def _job(promptjobs: Command) -> None:
    job = {"provider": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m", "prompt": "Hello."}
    (promptjobs.folder / "job.yaml").write_text(json.dumps(job))


@pytest.mark.parametrize("name", REFUSED)
async def test_options_that_do_not_fit_are_refused(promptjobs: Command, name: str) -> None:
    options, message = REFUSED[name]
    ended = await promptjobs("run", "job.yaml", *options)
    assert ended.code == 2
    assert ended.stderr.endswith(f"{message}\n")


async def test_ray_client_is_refused_with_the_command_that_helps(promptjobs: Command) -> None:
    ended = await promptjobs("run", "job.yaml", "-q", *RAY, env={"RAY_ADDRESS": "ray://head:10001"})
    assert ended.code == 2
    assert ended.stderr == (
        "promptjobs: --executor ray does not work over ray://head:10001; "
        "run it in the cluster: `ray job submit`\n"
    )


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
async def test_a_missing_package_is_an_error_that_names_the_extra(promptjobs: Command) -> None:
    ended = await promptjobs("run", "job.yaml", "-q", *RAY)
    assert ended.code == 2
    assert "needs the package ray; run: pip install 'promptjobs[ray]'" in ended.stderr


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
async def test_a_cluster_that_is_not_there_is_an_error_within_seconds(promptjobs: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    ended = await promptjobs("run", "job.yaml", "-q", *RAY, env={"RAY_ADDRESS": address})
    assert ended.code == 2
    assert f"the Ray cluster at {address} is not reached: ConnectionRefusedError" in ended.stderr
