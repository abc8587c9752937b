"""What the answers of an embedded engine depend on, for the fingerprint of its requests.

Nothing is started and nothing fetched: the hash of the default weights is known before they are here.
"""

from __future__ import annotations

from pathlib import Path

from batch.local_model.weights import DEFAULT_SHA256, sha256_of


def identity(engine: str) -> dict[str, str]:
    """The engine and its weights' hash, or its version where it has no weights.

    ``engine`` is ``llama``, ``extractive`` or the absolute path of a GGUF file, which is read as a whole.
    Raises ``LocalModelError`` where there is no such file.
    """
    if engine == "llama":
        return {"engine": "llama", "weights": DEFAULT_SHA256}
    if engine == "extractive":
        from batch.local_model.extractive import VERSION  # noqa: PLC0415 - it compiles patterns

        return {"engine": "extractive", "version": VERSION}
    return {"engine": "llama", "weights": sha256_of(Path(engine))}
