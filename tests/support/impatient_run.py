"""``promptjobs`` with workers that are killed after a second and a half of silence, ten in their start."""

from __future__ import annotations

from batch.cli import main
from batch.executors import workers
from batch.executors.protocol import Leases

if __name__ == "__main__":
    workers.LEASES = Leases(lease=1.5, beat=0.3)
    workers.START = 10.0
    main()
