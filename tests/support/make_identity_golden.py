"""Write ``tests/golden/identity.json``: ids and fingerprints of jobs of every shape.

``python -m tests.support.make_identity_golden`` adds the shapes that the file lacks. What it holds stays
as it is: a changed id or fingerprint would send again what users have paid for.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.identity_shapes import SHAPES, identities

GOLDEN = Path(__file__).parents[1] / "golden" / "identity.json"


def read() -> dict[str, list[list[str | None]]]:
    """What the file holds by shape: pairs of an id and a fingerprint."""
    if not GOLDEN.exists():
        return {}
    found: dict[str, list[list[str | None]]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def written(golden: dict[str, list[list[str | None]]]) -> str:
    """The text of the file: a pair a line."""
    shapes = []
    for name, pairs in golden.items():
        lines = ",\n".join(f"    {json.dumps(pair, ensure_ascii=False)}" for pair in pairs)
        shapes.append(f"  {json.dumps(name)}: [\n{lines}\n  ]")
    return "{\n" + ",\n".join(shapes) + "\n}\n"


def main() -> None:
    """Add the shapes that are missing."""
    golden = read()
    for name, shape in SHAPES.items():
        if name not in golden:
            with TemporaryDirectory() as folder:
                golden[name] = identities(Path(folder).resolve(), shape)
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(written(golden), encoding="utf-8")


if __name__ == "__main__":
    main()
