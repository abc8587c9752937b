"""The job files that ``promptjobs init`` writes."""

from __future__ import annotations

SCHEMA_FILE = "promptjobs.schema.json"
"""The JSON Schema next to the job file, for editors; ``promptjobs schema`` prints it."""

_HEAD = """\
# yaml-language-server: $schema={schema}
#
# Each document in the folder `documents` is one request, each request one line of output/job.jsonl.
#
#   promptjobs validate job.yaml         report every error in this file and its inputs
#   promptjobs run --dry-run job.yaml    show what would be sent
#   promptjobs run job.yaml              send it; run it again to send only what is new, changed or failed
#   promptjobs show job.yaml             list the answers

"""

_BODY = """
# The instruction goes into `system`, the document into `prompt`. Names in double braces are variables:
# `text`, `path`, `name` and `stem` of a document, or the columns of a table.
system: {system}
prompt: "{{{{ text }}}}"

# Paths are relative to this file. To read a table, replace `files` by `csv: rows.csv` or `jsonl: rows.jsonl`.
# For documents that are longer than the model's context add `split: {{tokens: 2000}}`.
inputs:
  files: [documents/**/*.txt]

# Parameters go into each request as they are.
params:
  temperature: 0
  max_tokens: 400

# The largest number of requests in flight. Fewer are sent while the server is congested.
concurrency: {concurrency}
"""

_SUMMARISE = "Summarise the text in two sentences. Answer with the summary alone."

_ENDPOINTS = {
    "local": """\
# The embedded endpoint: a small language model on this machine. It needs no key, and nothing leaves the
# machine. The first run downloads the model, 93 MB; `engine: extractive` needs no download. The model quotes
# sentences: it is too small to be relied on when it writes. `promptjobs init --from ollama` or another server
# writes a job file for that.
provider: autonomous
base_url: local
engine: llama
model: summary
""",
    "openai": """\
# OpenAI. The key is read from this environment variable and never written into a job file.
provider: openai
base_url: https://api.openai.com/v1
api_key_env: OPENAI_API_KEY
model: gpt-4o-mini

# To stop before the answers cost more than this many US dollars:
# limits: {cost: 1}
""",
    "ollama": """\
# Ollama on this machine. `ollama pull llama3.2` gets the model, `ollama list` shows those that you have.
provider: openai
base_url: http://127.0.0.1:11434/v1
model: llama3.2
""",
    "vllm": """\
# vLLM on this machine, started by `vllm serve Qwen/Qwen2.5-7B-Instruct`; `model` is the name given there.
# If it was started with `--api-key`, name the environment variable that holds the key:
# api_key_env: VLLM_API_KEY
provider: openai
base_url: http://127.0.0.1:8000/v1
model: Qwen/Qwen2.5-7B-Instruct
""",
    "llama.cpp": """\
# llama.cpp on this machine, started by `llama-server -m model.gguf`. It serves its one model under any name.
# The name is a part of each request: if you change it, all requests are sent again.
provider: openai
base_url: http://127.0.0.1:8080/v1
model: default
""",
}

SERVERS = tuple(_ENDPOINTS)
"""The servers that a job file can be written for; the first is the default."""

_SYSTEM = {"local": "Summarise the text by quoting its two or three most important sentences, word for word."}

_CONCURRENCY = {"local": 2, "openai": 8, "ollama": 2, "vllm": 32, "llama.cpp": 2}


def job_template(server: str = SERVERS[0]) -> str:
    """Return a commented job file for one of ``SERVERS``. Raise ``KeyError`` for another one."""
    body = _BODY.format(system=_SYSTEM.get(server, _SUMMARISE), concurrency=_CONCURRENCY[server])
    return _HEAD.format(schema=SCHEMA_FILE) + _ENDPOINTS[server] + body
