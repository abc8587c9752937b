"""The corpora of ``payloads`` through the command: what is data arrives as it is, the rest is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import anyio
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support import job_files
from tests.support.cli_support import Cli
from tests.support.jobfile_support import write
from tests.support.payloads import BOMBS, BREAK_OUTS, FORMULAS, PATHS, TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.conftest import Command
    from tests.support.chat_server import ChatServer

SECRET = "the secret of somebody else"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command in ``root``, with a secret beside it and links that lead there."""
    (tmp_path / "secret").write_text(SECRET)
    root = tmp_path / "root"
    (root / "documents").mkdir(parents=True)
    (root / "link").symlink_to("..")
    (root / "secret.gguf").symlink_to("../secret")
    (root / "dangling.gguf").symlink_to("../nowhere")
    return Cli(root, monkeypatch, capsys)


def write_job(folder: Path, server: ChatServer, name: str = "job", **keys: Any) -> None:
    """A job that asks the server, by default for the variable ``text``."""
    job_files.write_job(folder, f"{server.url}/v1", name=name, **{"prompt": "{{ text }}", **keys})


def json_lines(values: Sequence[object]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


# Templates


def as_documents(folder: Path) -> dict[str, Any]:
    for number, text in enumerate(TEMPLATES):
        (folder / "documents" / f"{number}.txt").write_text(text, encoding="utf-8", newline="")
    return {"inputs": {"files": ["documents/*.txt"]}}


def as_csv(folder: Path) -> dict[str, Any]:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in TEMPLATES)])
    return {"inputs": {"csv": "rows.csv"}}


def as_json_lines(folder: Path) -> dict[str, Any]:
    write(folder, json_lines([{"text": text} for text in TEMPLATES]), "rows.jsonl")
    return {"inputs": {"jsonl": "rows.jsonl"}}


def as_ids(folder: Path) -> dict[str, Any]:
    write(folder, json_lines([{"id": text} for text in TEMPLATES]), "rows.jsonl")
    return {"inputs": {"jsonl": "rows.jsonl"}, "prompt": "{{ id }}"}


def inside_others(folder: Path) -> dict[str, Any]:
    write(folder, json_lines([{"a": {"b": [text]}} for text in TEMPLATES]), "rows.jsonl")
    return {"inputs": {"jsonl": "rows.jsonl"}, "prompt": "{% for x in a.b %}{{ x }}{% endfor %}"}


def as_parquet(folder: Path) -> dict[str, Any]:
    pyarrow.parquet.write_table(pa.table({"text": TEMPLATES}), folder / "rows.parquet")
    return {"inputs": {"parquet": "rows.parquet"}}


def as_matrix(folder: Path) -> dict[str, Any]:
    return {"matrix": {"text": TEMPLATES}}


@pytest.mark.parametrize(
    "prepare", [as_documents, as_csv, as_json_lines, as_ids, inside_others, as_parquet, as_matrix]
)
def test_data_arrives_as_it_is(
    prepare: Callable[[Path], dict[str, Any]], cli: Cli, server: ChatServer
) -> None:
    write_job(cli.folder, server, **prepare(cli.folder))
    ended = cli("run", "-q", "job.yaml")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    assert sorted(server.prompts) == sorted(TEMPLATES)


def test_prompts_of_a_jsonl_job_arrive_as_they_are(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server, "settings", prompt=None)
    write(cli.folder, json_lines([{"prompt": text, "system": text} for text in TEMPLATES]), "job.jsonl")
    assert cli("run", "-q", "job.jsonl", "--with", "settings.yaml").code == 0
    assert sorted(server.prompts) == sorted(TEMPLATES)
    assert all(body["messages"][0]["content"] == body["messages"][1]["content"] for body in server.seen)


def test_answers_are_data_for_the_next_job(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server, "map", **as_json_lines(cli.folder))
    results = {"results": "output/map.jsonl"}
    write_job(cli.folder, server, "reduce", inputs=results)
    assert cli("run", "-q", "map.yaml", "reduce.yaml").code == 0
    assert sorted(server.prompts[len(TEMPLATES) :]) == sorted(f"echo: {text}" for text in TEMPLATES)


def test_no_prompt_breaks_out_of_its_sandbox(cli: Cli, server: ChatServer) -> None:
    prompts = [{"id": text, "prompt": f"{{{{ {text} }}}}"} for text in BREAK_OUTS]
    write(cli.folder, json_lines([{"word": "x"}]), "rows.jsonl")
    write_job(cli.folder, server, prompt=None, prompts=prompts, inputs={"jsonl": "rows.jsonl"})
    ended = cli("run", "job.yaml")
    assert (ended.code, server.seen) == (2, [])
    *lines, last = ended.stderr.splitlines()
    assert last == f"{len(BREAK_OUTS)} errors; nothing was sent"
    for number, line in enumerate(lines):
        assert re.match(rf"job\.yaml:1:\d+: prompts\[{number}\]\.prompt: ", line)


# Paths


def reading(key: str) -> Callable[[str], dict[str, Any]]:
    return lambda path: {"inputs": {key: path}}


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    **{key: reading(key) for key in ("files", "csv", "jsonl", "parquet", "results")},
    "prompt": lambda path: {"prompt": f"file://{path}"},
    "system": lambda path: {"system": f"file://{path}"},
    "images": lambda path: {"images": [path]},
    "api_key_file": lambda path: {"api_key_file": path},
    "engine": lambda path: {"base_url": "local", "engine": f"{path.removesuffix('.gguf')}.gguf"},
    "output": lambda path: {"output": {"path": path}},
}
"""What a job file says where it names a path."""

OURS = ("root/job.yaml", "root/rows.jsonl", "root/output/job.jsonl")
"""What the files begin with that may be there afterwards."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", [*PATHS, "link/secret", "secret.gguf", "dangling.gguf"])
def test_no_path_leads_out(place: str, path: str, cli: Cli, server: ChatServer) -> None:
    before = files_under(cli.folder.parent)
    write_job(cli.folder, server, **{"prompt": "x", **PLACES[place](path)})
    ended = cli("run", "job.yaml")
    assert (ended.code, server.seen) == (2, [])
    assert "is outside" in ended.stderr
    assert SECRET not in ended.stderr
    assert all(name.startswith(OURS) for name in files_under(cli.folder.parent) - before)


def test_an_id_is_no_path(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server, prompt="{{ id }}", inputs={"jsonl": "rows.jsonl"})
    write(cli.folder, json_lines([{"id": path} for path in PATHS]), "rows.jsonl")
    before = files_under(cli.folder.parent)
    assert cli("run", "-q", "job.yaml").code == 0
    assert sorted(server.prompts) == sorted(PATHS)
    assert all(name.startswith(OURS) for name in files_under(cli.folder.parent) - before)


def files_under(folder: Path) -> set[str]:
    found = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(name, folder) for name in found}


# Bombs


@pytest.mark.anyio
async def test_no_bomb_takes_a_process_much_time_or_memory(promptjobs: Command) -> None:
    names = [f"{number}.yaml" for number in range(len(BOMBS))]
    for name, (text, _) in zip(names, BOMBS.values(), strict=True):
        write(promptjobs.folder, text, name)
    limited = ["sh", "-c", 'ulimit -v 2000000 && ulimit -t 50 && exec "$@"', "sh"]
    process = await anyio.run_process(
        [*limited, *promptjobs.arguments("validate", "--output-format", "concise", *names)],
        cwd=promptjobs.folder,
        env=promptjobs.environment,
        check=False,
    )
    said = process.stderr.decode()
    assert process.returncode == 2
    for name, (_, problem) in zip(names, BOMBS.values(), strict=True):
        assert any(line.startswith(f"{name}:") and problem in line for line in said.splitlines())
    assert "Traceback" not in said


def write_word(path: Path, letters: int) -> None:
    """A document for Word of one paragraph."""
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = f"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
        <Override PartName="/word/document.xml" ContentType="{word}"/></Types>"""
    begin = b"""<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
        <w:body><w:p><w:r><w:t>"""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", types)
        with archive.open("word/document.xml", "w") as file:
            file.write(begin)
            for start in range(0, letters, 2**20):
                file.write(b"x" * min(2**20, letters - start))
            file.write(b"</w:t></w:r></w:p></w:body></w:document>")


def test_a_document_that_unpacks_beyond_all_measure_is_refused(cli: Cli, server: ChatServer) -> None:
    write_job(cli.folder, server, inputs={"files": "a.docx"})
    write_word(cli.folder / "a.docx", 10)
    assert cli("run", "job.yaml").code == 0
    assert [prompt.strip() for prompt in server.prompts] == ["x" * 10]
    write_word(cli.folder / "a.docx", 300 * 2**20)
    assert (cli.folder / "a.docx").stat().st_size < 2**21
    ended = cli("run", "job.yaml")
    assert (ended.code, len(server.seen)) == (2, 1)
    assert ended.stderr.startswith(f"{cli.folder}/a.docx: cannot be read as DOCX: ")


# Formulas


def test_formulas_are_sent_as_they_are_and_leave_as_text(cli: Cli, server: ChatServer) -> None:
    formulas = dict(FORMULAS)
    formulas.pop("")
    write_job(cli.folder, server, prompt="{{ id }}", inputs={"jsonl": "rows.jsonl"})
    write(cli.folder, json_lines([{"id": text} for text in formulas]), "rows.jsonl")
    assert cli("run", "-q", "job.yaml").code == 0
    assert sorted(server.prompts) == sorted(formulas)
    assert cli("export", "job.yaml", "--format", "csv", "-o", "table.csv").code == 0
    table = (cli.folder / "table.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert {row["id"] for row in rows} == set(formulas.values())
    assert {row["text"] for row in rows} == {f"echo: {text}" for text in formulas}
