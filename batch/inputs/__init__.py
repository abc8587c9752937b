"""Documents and rows filled into prompts: a job as a lazy stream of requests.

``expand`` fills rows into prompts, ``source`` assigns them to targets and gives each its id and its
fingerprint (``identity``), ``precheck`` reads everything once before anything is sent.
"""

from __future__ import annotations

from batch.inputs.identity import fingerprint
from batch.inputs.precheck import Checked, check
from batch.inputs.source import JobSource
from batch.inputs.template_variables import further_errors

__all__ = ["Checked", "JobSource", "check", "fingerprint", "further_errors"]
