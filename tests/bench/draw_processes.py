"""The picture of several processes; runs where matplotlib is, and knows nothing of the project."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DRIVER, WORKERS = "#1b6ca8", "#b8b8b8"


def draw(figures: list[dict[str, Any]], target: Path) -> None:
    """A column for each length of a reply: microseconds a request above, requests a second below."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("Agg")
    lengths = sorted({each["events"] for each in figures})
    figure, axes = plt.subplots(2, len(lengths), figsize=(4 * len(lengths), 5), squeeze=False)
    for column, events in enumerate(lengths):
        shown = [each for each in figures if each["events"] == events]
        names = [str(each["processes"]) for each in shown]
        driver = [each["driver"] for each in shown]
        workers = [each["workers"] if each["processes"] > 1 else 0 for each in shown]
        above, below = axes[0][column], axes[1][column]
        above.bar(names, driver, color=DRIVER, width=0.6, label="driver")
        above.bar(names, workers, bottom=driver, color=WORKERS, width=0.6, label="workers")
        above.set_title(f"replies of {events} events", fontsize=10)
        below.bar(names, [each["throughput"] for each in shown], color=DRIVER, width=0.6)
        below.set_xlabel("processes")
    axes[0][0].set_ylabel("CPU, µs a request")
    axes[1][0].set_ylabel("requests a second")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes[0][-1].get_legend_handles_labels(), frameon=False, fontsize=9, ncols=2, loc="upper center"
    )
    figure.tight_layout(rect=(0, 0, 1, 0.96))
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
