"""Documents and rows filled into prompts: a job as a lazy stream of requests.

``expand`` fills rows into prompts, ``source`` assigns them to targets and gives each its id and its
fingerprint (``identity``), ``precheck`` reads everything once before anything is sent.
"""

from __future__ import annotations

from batch.inputs.identity import fingerprint
from batch.inputs.precheck import Checked, check, further_errors
from batch.inputs.source import JobSource

__all__ = ["Checked", "JobSource", "check", "fingerprint", "further_errors"]
