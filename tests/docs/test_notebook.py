"""The notebook of the documentation runs, as a program and in a kernel; an interrupted cell ends cleanly.

A kernel needs 100 MB of packages, so these tests run where `.ci/extended notebook` has installed them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]

PRINTED = """\
Hello after 2 attempts
rhine succeeded The Rhine rises in the Alps. It ends in the North Sea.
danube succeeded The Danube rises in the Black Forest. It ends in the Black Sea.
"""

AS_A_PROGRAM = """\
import ast, asyncio, inspect, json, sys

async def main():
    names = {}
    for cell in json.load(sys.stdin):
        code = compile("".join(cell["source"]), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result

asyncio.run(main())
"""

SERVER = """\
import batch
from batch.testing import FaultServer, Stall, answer

def script(request):
    if request.number <= 3:
        return answer("Hello")
    print("stalled", flush=True)
    return [Stall()]

server = await FaultServer(script).__aenter__()
job = {
    "name": "words",
    "provider": "openai",
    "base_url": f"{server.url}/v1",
    "model": "m",
    "concurrency": 1,
    "prompts": [{"id": f"row-{number}", "prompt": f"word {number}"} for number in range(10)],
}
"""

WITHOUT_WIDGETS = """\
import sys
sys.modules["ipywidgets"] = None
"""


def test_the_notebook_holds_no_outputs() -> None:
    assert CODE
    assert [cell["id"] for cell in CODE if cell["outputs"] or cell["execution_count"]] == []


def test_the_cells_run_as_a_program(promptjobs: Command) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", AS_A_PROGRAM],
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        input=json.dumps(CODE),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, PRINTED), ended.stderr
    assert "100%|" in ended.stderr


# In a kernel


class Kernel:
    """A kernel of Jupyter in a process of its own."""

    def __init__(self, folder: Path) -> None:
        manager = pytest.importorskip(
            "jupyter_client.manager", reason="needs nbclient: .ci/extended notebook"
        )
        pytest.importorskip("ipykernel", reason="needs ipykernel: .ci/extended notebook")
        self._manager, self._client = manager.start_new_kernel(kernel_name="python3", cwd=str(folder))

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def __call__(self, code: str, *, interrupt: bool = False) -> list[dict[str, Any]]:
        """Run a cell; return the contents of its messages. ``interrupt``: as soon as the server stalls."""
        cell = self._client.execute(code)
        contents = []
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if interrupt and "stalled" in content.get("text", ""):
                self._manager.interrupt_kernel()
            if message["parent_header"].get("msg_id") != cell:
                continue
            contents.append(content)
            if content.get("execution_state") == "idle":
                return contents


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    running = Kernel(tmp_path)
    yield running
    running.close()


def other_server(script: str, requests: int) -> str:
    """A cell that sends the first requests of the job to another server."""
    return (
        "from batch.testing import status\n"
        f"server = await FaultServer({script}).__aenter__()\n"
        f'job |= {{"base_url": f"{{server.url}}/v1", "prompts": job["prompts"][:{requests}]}}'
    )


def error(contents: list[dict[str, Any]]) -> tuple[str, str]:
    ((name, value),) = [(each["ename"], each["evalue"]) for each in contents if "ename" in each]
    return name, value


def streamed(contents: list[dict[str, Any]], name: str) -> str:
    return "".join(each["text"] for each in contents if each.get("name") == name)


def widgets(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The states of widgets, in the order of their changes."""
    return [each["data"]["state"] for each in contents if "state" in each.get("data", {})]


def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    client = pytest.importorskip("nbclient", reason="needs nbclient: .ci/extended notebook")
    pytest.importorskip("ipykernel", reason="needs ipykernel: .ci/extended notebook")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "".join(output["text"] for output in outputs if output.get("name") == "stdout") == PRINTED
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    shown = [output["data"] for output in outputs if output["output_type"] == "display_data"]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True, True]


@pytest.mark.parametrize(
    "cell", ["await batch.arun(job)", "async for result in batch.stream(job): print(result.id)"]
)
def test_an_interrupted_cell_says_how_to_resume_and_keeps_the_results(
    kernel: Kernel, tmp_path: Path, cell: str
) -> None:
    output = tmp_path / "output" / "words.jsonl"
    kernel(SERVER)
    contents = kernel(cell, interrupt=True)
    assert error(contents) == (
        "CancelledError",
        f"interrupted: 3 results were written to {output}; run the job again to resume",
    )
    assert len(output.read_text(encoding="utf-8").splitlines()) == 3
    assert error(kernel("batch.run(job)")) == (
        "RuntimeError",
        (
            "`batch.run` cannot be called in a running event loop, such as that of a notebook; "
            "use `await batch.arun(...)` with the same arguments"
        ),
    )


def test_the_bar_of_an_interrupted_cell_stays_and_turns_red(kernel: Kernel) -> None:
    pytest.importorskip("ipywidgets", reason="needs ipywidgets: .ci/extended notebook")
    kernel(SERVER)
    states = widgets(kernel("await batch.arun(job, progress=True)", interrupt=True))
    assert [state["bar_style"] for state in states if "bar_style" in state][-1] == "danger"
    assert "3/10" in [state["value"] for state in states if isinstance(state.get("value"), str)][-1]


def test_a_failure_is_named_below_the_widget(kernel: Kernel) -> None:
    kernel(SERVER)
    kernel(other_server('status(422, b"no")', requests=1))
    contents = kernel("summary = await batch.arun(job, progress=True)")
    assert streamed(contents, "stdout").startswith("row-0 failed: ")
    assert streamed(contents, "stderr") == ""


def test_without_widgets_the_bar_is_text(kernel: Kernel) -> None:
    kernel(WITHOUT_WIDGETS)
    kernel(SERVER)
    kernel(other_server('answer("Hello")', requests=10))
    contents = kernel("summary = await batch.arun(job, progress=True)")
    assert " 10/10 " in streamed(contents, "stderr").split("\r")[-1]
    assert widgets(contents) == []


def test_the_widget_follows_a_total_that_grows(kernel: Kernel) -> None:
    pytest.importorskip("ipywidgets", reason="needs ipywidgets: .ci/extended notebook")
    contents = kernel(
        "import sys\n"
        "from batch.events import PlanGrew, RunStarted\n"
        "from batch.progress.environment_bar import bar_for_environment\n"
        "bar = bar_for_environment()\n"
        "bar.observe(RunStarted(2, 0, is_whole=False))\n"
        "bar.observe(PlanGrew(8, 4))\n"
        "bar.close()"
    )
    states = widgets(contents)
    assert [state["max"] for state in states if "max" in state][-1] == 8
    assert [state["value"] for state in states if isinstance(state.get("value"), float)][-1] == 4
