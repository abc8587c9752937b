"""Job files: text becomes a ``JobFile``, or every mistake in it with its line.

Bytes are read and decoded (``files``), judged as YAML events (``events``), composed to a plain tree with
the places of its values (``trees``), checked for shape (``schema``, ``explain``), and resolved to what is
meant (``resolve``, ``models``, ``prompts``). A JSONL job file is read as a stream (``jsonl``, ``rows``,
``survey``).
"""

from __future__ import annotations

from batch.jobfile.init_template import starter
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
    "load",
    "load_mapping",
    "starter",
]
