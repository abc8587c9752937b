"""``file://``: prompts in files of their own, which stay in the job's trees and are templates as others."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from batch.jobfile import load
from tests.support.inputs_support import by_id, source, source_of
from tests.support.jobfile_support import HEAD, diagnostics_of, job, write

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path, text: str) -> list[str]:
    return [message.content for prompt in job(folder, HEAD + text).prompts for message in prompt.messages]


def test_a_prompt_a_system_message_and_messages_may_stand_in_files(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write(tmp_path, f"{name}: {{{{ text }}}}", f"prompts/{name}.md")
    assert contents(tmp_path, "system: file://prompts/one.md\nprompt: file://prompts/two.md\n") == [
        "one: {{ text }}",
        "two: {{ text }}",
    ]
    several = "[{id: a, system: file://prompts/one.md, prompt: x}, {id: b, prompt: file://./prompts/two.md}]"
    assert contents(tmp_path, f"prompts: {several}\n") == ["one: {{ text }}", "x", "two: {{ text }}"]
    messages = "[{role: user, content: file://prompts/three.md}, {role: assistant, content: no file://}]"
    assert contents(tmp_path, f"messages: {messages}\n") == ["three: {{ text }}", "no file://"]


def test_a_file_is_filled_in_and_a_change_of_it_changes_the_request(tmp_path: Path) -> None:
    write(tmp_path, "word", "a.txt")
    write(tmp_path, "Say {{ text }}", "prompt.md")
    path = write(tmp_path, HEAD + "prompt: file://prompt.md\ninputs: {files: a.txt}\n")
    before = by_id(source(path))["a.txt"]
    assert before.messages[0]["content"] == "Say word"
    write(tmp_path, "Sing {{ text }}", "prompt.md")
    assert by_id(source(path))["a.txt"].fingerprint != before.fingerprint


def test_the_settings_of_a_jsonl_job_may_name_a_system_message(tmp_path: Path) -> None:
    write(tmp_path, "{{ literal }}", "system.md")
    settings = write(tmp_path, HEAD + "system: file://system.md\n", "settings.yaml")
    rows = write(tmp_path, json.dumps({"prompt": "file://system.md"}) + "\n", "job.jsonl")
    (request,) = source_of(load(rows, settings=settings)).requests()
    assert [message["content"] for message in request.messages] == ["{{ literal }}", "file://system.md"], (
        "what a row says is no file"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("file://none.md", "4:9: prompt: none.md: no such file"),
        ("file://folder", "4:9: prompt: folder: not a regular file"),
        ("file://pipe", "4:9: prompt: pipe: not a regular file"),
        ("file://empty.md", "4:9: prompt: empty.md: is empty"),
        ("file://latin.md", "latin.md:1:4: not UTF-8; save the file as UTF-8"),
        ("file://wrong.md", "wrong.md:2:1: prompt: not a template: `{{` is never closed; write `}}`"),
        (
            "file://../secret",
            '4:9: prompt: "../secret": is outside ROOT; `--allow-path` allows another folder',
        ),
        (
            "file:///secret",
            '4:9: prompt: "/secret": is outside ROOT; `--allow-path` allows another folder',
        ),
        ("file://link.md", "4:9: prompt: link.md: is outside ROOT; `--allow-path` allows another folder"),
        ("file://", '4:9: prompt: "": not a regular file'),
    ],
)
def test_what_cannot_be_read_is_named(written: str, said: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "pipe")
    (root / "empty.md").touch()
    (root / "latin.md").write_bytes(b"caf\xe9")
    (root / "wrong.md").write_text("one\n{{ text }\n")
    (tmp_path / "secret").write_text("secret")
    (root / "link.md").symlink_to("../secret")
    assert diagnostics_of(lambda: job(root, HEAD + f"prompt: {written}\n")) == [
        said.replace("ROOT", str(root))
    ]


def test_results_do_not_overwrite_a_prompt(tmp_path: Path) -> None:
    write(tmp_path, "x", "prompt.md")
    assert diagnostics_of(
        lambda: job(tmp_path, HEAD + "prompt: file://prompt.md\noutput: {path: prompt.md}\n")
    ) == ["5:16: output.path: the output would overwrite a file of the job; name another file"]
