"""An exported data set opens in Hugging Face's ``datasets`` with one line of Python.

The library brings 300 MB with it, so it is no part of the test extra. The tests' own Python is looked at, or
another one that ``PROMPTJOBS_DATASETS_PYTHON`` names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch.codec import encode_result
from tests.support.cli_support import Cli
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = os.environ.get("PROMPTJOBS_DATASETS_PYTHON") or (sys.executable if find_spec("datasets") else None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="`datasets` is not installed: 300 MB that no other test needs"),
]

SCRIPT = """
import json, sys, datasets
loaded = datasets.load_dataset(sys.argv[1])
print(json.dumps({name: [len(part), part.features.to_dict(), part[0]] for name, part in loaded.items()}))
"""

TEXT = {"dtype": "string", "_type": "Value"}


def load(folder: Path) -> dict[str, Any]:
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
    assert PYTHON is not None
    process = subprocess.run(
        [PYTHON, "-c", SCRIPT, str(folder / "set")], env=environment, capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr.decode()
    loaded: dict[str, Any] = json.loads(process.stdout)
    return loaded


@pytest.mark.parametrize(
    ("form", "suffix", "columns"),
    [
        ("messages", "jsonl", {"messages"}),
        ("sharegpt", "jsonl", {"conversations"}),
        ("completion", "jsonl", {"prompt", "completion"}),
        ("parquet", "parquet", None),
        ("csv", "csv", None),
    ],
)
def test_a_folder_is_a_data_set_with_a_part_to_train_and_one_to_test(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
    suffix: str,
    columns: set[str] | None,
) -> None:
    asked = [{"role": "user", "content": "Name a river."}]
    results = [msgspec.structs.replace(succeeded(f"row-{n}", "The Elbe."), messages=asked) for n in range(50)]
    (tmp_path / "out.jsonl").write_bytes(b"".join(map(encode_result, results)))
    (tmp_path / "set").mkdir()
    flags = ["--format", form, "--test-share", "0.2", "-o", f"set/rivers.{suffix}"]
    assert Cli(tmp_path, monkeypatch, capsys)("export", "out.jsonl", *flags).code == 0
    loaded = load(tmp_path)
    assert set(loaded) == {"train", "test"}
    assert loaded["train"][0] + loaded["test"][0] == 50
    assert columns is None or set(loaded["train"][1]) == columns
    assert loaded["train"][1] == loaded["test"][1]
    if form == "completion":
        assert loaded["train"][1] == {"prompt": TEXT, "completion": TEXT}
        assert loaded["train"][2] == {"prompt": "Name a river.", "completion": "The Elbe."}
