"""Documents and rows filled into prompts: a job as a lazy stream of requests.

``expand`` fills rows into prompts, ``request_factory`` makes their requests to targets, each with its id and
its fingerprint (``identity``). ``source`` reads the job in this way, as often as is asked. ``precheck`` reads
everything once before anything is sent.
"""

from __future__ import annotations

from batch.inputs.identity import fingerprint
from batch.inputs.precheck import Checked, check, further_errors
from batch.inputs.source import JobSource

__all__ = ["Checked", "JobSource", "check", "fingerprint", "further_errors"]
