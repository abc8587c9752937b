"""The picture itself; runs where matplotlib is, and knows nothing of the project."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SLOTS, CAPACITY = "#1b6ca8", "#b8b8b8"


def draw(panels: list[dict[str, Any]], target: Path) -> None:
    """One panel a server: its capacity as a grey line, the slots as a blue one."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("Agg")
    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 2.6), squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        axis.step(
            range(len(panel["capacity"])), panel["capacity"], color=CAPACITY, linewidth=2, label="capacity"
        )
        axis.plot(panel["slots"], color=SLOTS, linewidth=1, label="slots")
        axis.set_title(panel["title"], fontsize=9)
        axis.set_ylim(0, 1.4 * max(panel["capacity"]))
        axis.set_xlabel("seconds")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(target, dpi=130)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
