"""``promptjobs`` with workers on Ray that are cut off after three seconds of silence."""

from __future__ import annotations

from batch.cli import main
from batch.executors import ray_workers
from batch.executors.protocol import Leases

if __name__ == "__main__":
    ray_workers.LEASES = Leases(lease=3.0, grace=1.0, margin=1.0, beat=0.5, resend=1.0, frame=8e6)
    main()
