"""``promptjobs`` with workers on Ray that are cut off after three seconds of silence.

With the variable ``ELSEWHERE``, this process says that it is not on the machine of the workers.
"""

from __future__ import annotations

import os

from batch.cli import main
from batch.executors import handshake, ray_workers
from batch.executors.protocol import Leases

if __name__ == "__main__":
    ray_workers.LEASES = Leases(lease=3.0, grace=1.0, margin=1.0, beat=0.5, resend=1.0, frame=8e6)
    if "ELSEWHERE" in os.environ:
        handshake.network = lambda: "elsewhere"
    main()
