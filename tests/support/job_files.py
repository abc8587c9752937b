"""Job files for tests that run the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_job(
    folder: Path, base_url: str, rows: Mapping[str, str] | None = None, /, *, name: str = "job", **keys: Any
) -> Path:
    """A job file with one request a row: its id, and its prompt. The output is ``output/<name>.jsonl``.

    ``keys`` are further keys of the file, or others in place of these; without ``rows`` also its prompts.
    """
    job: dict[str, object] = {"provider": "openai", "model": "m", "base_url": base_url}
    if rows is not None:
        lines = [json.dumps({"id": request_id, "prompt": prompt}) for request_id, prompt in rows.items()]
        table = "rows.jsonl" if name == "job" else f"{name}.rows.jsonl"
        (folder / table).write_text("\n".join(lines) + "\n", encoding="utf-8")
        job |= {"prompt": "{{ prompt }}", "inputs": {"jsonl": table}}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(job | keys), encoding="utf-8")
    return path
