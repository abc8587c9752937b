"""What the answers of an embedded engine depend on, for the fingerprint of its requests.

Nothing is started or downloaded: the hash of the default weights is known beforehand.
"""

from __future__ import annotations

from pathlib import Path

from batch.local_model.weights import DEFAULT_SHA256, sha256_of


def identity(engine: str) -> dict[str, str]:
    """Return the engine and its weights' hash, or its version if it has no weights.

    ``engine`` is ``llama``, ``extractive`` or the absolute path of a GGUF file, which is read as a whole.
    Raises ``LocalModelError`` if there is no such file.
    """
    if engine == "llama":
        return {"engine": "llama", "weights": DEFAULT_SHA256}
    if engine == "extractive":
        from batch.local_model.extractive import VERSION  # noqa: PLC0415 - it compiles patterns

        return {"engine": "extractive", "version": VERSION}
    return {"engine": "llama", "weights": sha256_of(Path(engine))}
