"""An exported data set opens in Hugging Face's ``datasets`` with one line of Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch.codec import encode_result
from tests.support.cli_support import Cli
from tests.support.datasets_python import needs_datasets, run_with_datasets
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result

pytestmark = needs_datasets

SCRIPT = """
import json, sys, datasets
loaded = datasets.load_dataset(sys.argv[1])
print(json.dumps({name: [len(part), part.features.to_dict(), part[0]] for name, part in loaded.items()}))
"""

TEXT = {"dtype": "string", "_type": "Value"}


def load(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(run_with_datasets(SCRIPT, folder, str(folder / "set")))
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


CALL = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
LAST_MESSAGES = """
import json, sys, datasets
loaded = datasets.load_dataset(sys.argv[1])
print(json.dumps({name: [len(part), part[len(part) - 1]["messages"][-1]] for name, part in loaded.items()}))
"""


@pytest.mark.parametrize(
    ("last", "flags", "message"),
    [
        pytest.param(
            {"reasoning": "Berlin …"},
            ["--include-reasoning"],
            {"role": "assistant", "content": "The Spree.", "reasoning_content": "Berlin …"},
            id="reasoning",
        ),
        pytest.param(
            {"tool_calls": CALL},
            [],
            {"role": "assistant", "content": "The Spree.", "tool_calls": CALL},
            id="tool calls",
        ),
    ],
)
def test_what_only_the_last_answer_has_is_loaded_however_far_down_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    last: dict[str, Any],
    flags: list[str],
    message: dict[str, Any],
) -> None:
    """The library infers the types from the first 10 MB of a file, and fails at a key that appears later."""
    asked = [{"role": "user", "content": "Name a river. " * 100}]

    def answered(name: str, text: str) -> Result:
        return msgspec.structs.replace(succeeded(name, text), messages=asked)

    results = [answered(f"row-{n}", "The Elbe.") for n in range(10_000)]
    results.append(msgspec.structs.replace(answered("last", "The Spree."), **last))
    (tmp_path / "out.jsonl").write_bytes(b"".join(map(encode_result, results)))
    (tmp_path / "set").mkdir()
    command = ["export", "out.jsonl", "--format", "messages", *flags, "-o", "set/train.jsonl"]
    assert Cli(tmp_path, monkeypatch, capsys)(*command).code == 0
    assert (tmp_path / "set" / "train.jsonl").stat().st_size > 12 * 2**20
    loaded = json.loads(run_with_datasets(LAST_MESSAGES, tmp_path, str(tmp_path / "set")))
    assert loaded == {"train": [10_001, message]}


TYPES = """
import json, sys, datasets
loaded = datasets.load_dataset(sys.argv[1], split="train")
print(json.dumps({name: feature.dtype for name, feature in loaded.features.items()}))
"""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_has_the_types_of_all_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    values = [{"n": 1, "z": True}, {"n": 2.5, "z": False}]
    results = [msgspec.structs.replace(succeeded(str(n)), parsed=value) for n, value in enumerate(values)]
    (tmp_path / "out.jsonl").write_bytes(b"".join(map(encode_result, results)))
    (tmp_path / "set").mkdir()
    command = ["export", "out.jsonl", "--format", form, "--columns", "parsed.*", "-o", f"set/all.{form}"]
    assert Cli(tmp_path, monkeypatch, capsys)(*command).code == 0
    loaded = json.loads(run_with_datasets(TYPES, tmp_path, str(tmp_path / "set")))
    assert loaded == {"parsed.n": "float64", "parsed.z": "bool"}
