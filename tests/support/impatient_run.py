"""``promptjobs`` with workers that are killed after a second and a half of silence, ten in their start."""

from __future__ import annotations

from batch.cli import main
from batch.executors import local_workers
from batch.executors.protocol import Leases

if __name__ == "__main__":
    local_workers.LEASES = Leases(lease=1.5, beat=0.3)
    local_workers.START = 10.0
    main()
