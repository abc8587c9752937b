"""A real server that fails permanently on some requests, and the results of the others.

llama.cpp without a vision part answers every picture with a 500, as if it were broken. The texts of the same
job must all be answered, in one run, in any order.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("xllamacpp", reason="needs the extra `local`")
pytestmark = pytest.mark.slow

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SETTINGS: dict[str, Any] = {
    "provider": "openai",
    "model": "smollm2",
    "concurrency": 4,
    "params": {"max_tokens": 2, "temperature": 0},
    "retries": {"max_attempts": 3, "base": "100ms", "cap": "1s"},
    "timeouts": {"outage": "30s"},
}
TEXTS = [{"id": f"text-{number}", "prompt": f"Say {number}."} for number in range(21)]
PICTURES = [{"id": f"picture-{number}", "prompt": "What?", "images": ["dot.png"]} for number in range(100)]
MIXED = random.Random(11).sample([*TEXTS, *PICTURES], 121)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a llama.cpp server."""
    command = [sys.executable, "-m", "tests.support.llama_peer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.mark.parametrize(
    "prompts",
    [
        pytest.param([TEXTS[0], *PICTURES, *TEXTS[1:]], id="a text, the pictures, the other texts"),
        pytest.param([*PICTURES, *TEXTS], id="the pictures first"),
        pytest.param(MIXED, id="mixed"),
    ],
)
def test_pictures_that_always_fail_do_not_stop_texts(
    prompts: list[dict[str, Any]], server: str, tmp_path: Path
) -> None:
    (tmp_path / "dot.png").write_bytes(PNG)
    job = tmp_path / "job.yaml"
    job.write_text(json.dumps({**SETTINGS, "base_url": f"{server}/v1", "prompts": prompts}), encoding="utf-8")
    command = [sys.executable, "-m", "batch", "run", str(job), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    summary = json.loads(ended.stdout)
    counts = {key: summary[key] for key in ("succeeded", "failed", "pending")}
    assert counts == {"succeeded": 21, "failed": 100, "pending": 0}, ended.stderr
    assert ended.returncode == 1
    assert summary["codes"] == {"http_500": 100}
    lines = (tmp_path / "output" / "job.jsonl").read_text(encoding="utf-8").splitlines()
    results = {result["id"]: result for result in map(json.loads, lines)}
    assert len(lines) == len(results) == 121
    assert {name.split("-")[0] for name in results if results[name]["status"] == "succeeded"} == {"text"}
    assert all(results[text["id"]]["text"] for text in TEXTS)
