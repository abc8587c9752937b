"""The job file that ``promptjobs init`` writes."""

from __future__ import annotations

import json

SCHEMA_FILE = "promptjobs.schema.json"
"""The JSON Schema next to the job file, for editors; ``promptjobs schema`` prints it."""

_TEXT = """\
# yaml-language-server: $schema={schema}
#
# A job: each document below becomes one request, and each request one line of the output.
name: {name}

# The API of the endpoint: autonomous, or openai for any OpenAI-compatible endpoint.
provider: autonomous
model: summary

# The embedded endpoint runs a small model on this machine; no data leaves it.
# `engine: extractive` needs no model. For another endpoint, write its URL, for instance
# http://localhost:8000/v1, and the environment variable that holds its key:
#   api_key_env: MY_API_KEY
base_url: local
engine: llama

system: You write plain English.
prompt: |
  Summarise in two sentences:

  {{{{ text }}}}

# Paths are relative to this file. The variables of a document are `text`, `path`, `name` and `stem`.
# For rows of a JSON Lines file, write `jsonl: rows.jsonl`; each key becomes a variable.
inputs:
  files: [documents/**/*.txt]

params:
  temperature: 0
  max_tokens: 400

concurrency: 2

# Run the same command again to resume: requests with an answer in this file are not sent again.
output:
  path: output/{file}.jsonl
"""


def job_template(name: str) -> str:
    """Return a commented, valid job file of that name to start from."""
    quoted = name if name.isidentifier() and name.islower() else json.dumps(name)
    file = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return _TEXT.format(schema=SCHEMA_FILE, name=quoted, file=file)
