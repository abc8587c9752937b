"""Job files: text becomes a ``JobFile``, or a list of all errors with their lines.

``files`` reads and decodes the bytes. ``syntax`` checks the YAML events, composes a plain tree with the
places of its values, and reads JSONL job files as streams. ``schema`` checks names and types, and ``resolve``
applies defaults and reads prompt files.
"""

from __future__ import annotations

from batch.jobfile.init_template import job_template
from batch.jobfile.job import Inputs, JobFile, Message, Model, Prompt, Retries, Timeouts
from batch.jobfile.load import load, load_mapping

__all__ = [
    "Inputs",
    "JobFile",
    "Message",
    "Model",
    "Prompt",
    "Retries",
    "Timeouts",
    "job_template",
    "load",
    "load_mapping",
]
