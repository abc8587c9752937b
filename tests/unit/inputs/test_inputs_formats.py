"""Documents that are no plain text, through the real kreuzberg where it is installed."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from batch.inputs import check
from tests.support.documents import docx, pdf
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

HTML = b"<html><head><script>x()</script></head><body><h1>Title</h1><p>One &amp; two</p></body></html>"


def _job(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return write(folder, HEAD + f"prompt: '{{{{ text }}}}'\ninputs: {{files: {name}}}\n")


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.html", HTML, "Title\n\nOne & two"),
        ("a.HTM", HTML, "Title\n\nOne & two"),
        ("a.docx", docx("From Word"), "From Word"),
        ("a.pdf", pdf("From a PDF"), "From a PDF"),
    ],
)
def test_the_text_of_a_document_is_read(name: str, data: bytes, text: str, tmp_path: Path) -> None:
    pytest.importorskip("kreuzberg", reason="the extra `documents` is not installed")
    requests = by_id(source(_job(tmp_path, name, data)))
    assert requests[name].messages[0]["content"].strip() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "job.yaml"])


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.pdf", b"no PDF", "a.pdf: cannot be read as PDF: "),
        ("a.docx", b"no archive", "a.docx: cannot be read as DOCX: "),
        ("a.html", b"<html><body></body></html>", "a.html: has no text; images are not read"),
        ("a.pdf", pdf(""), "a.pdf: has no text; images are not read"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, data: bytes, what: str, tmp_path: Path) -> None:
    pytest.importorskip("kreuzberg", reason="the extra `documents` is not installed")
    said = diagnostics_of(lambda: check(source(_job(tmp_path, name, data))))
    assert len(said) == 1
    assert said[0].startswith(what)


BROKEN = {
    "broken.docx": b"no archive",
    "broken.pdf": b"no PDF",
    "damaged bytes.txt": b"ab\x00\x01\xff\xfe\x81",
    "utf-32.txt": "\ufeffabc".encode("utf-32-le")[1:],
    "odd [1]*.txt": b"\x89PNG\r\n\x1a\n\x00\x00",
    'a "quoted" naïve.txt': b"\x89PNG\r\n\x1a\n\x00\x00",
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_message_of_a_broken_document_names_two_ways_to_do_without_it(name: str, tmp_path: Path) -> None:
    if not name.endswith(".txt"):
        pytest.importorskip("kreuzberg", reason="the extra `documents` is not installed")
    write(tmp_path, "fine", "documents/a.txt")
    (tmp_path / "documents" / name).write_bytes(BROKEN[name])

    def job(*patterns: str, more: str = "") -> Path:
        files = ", ".join(patterns)
        return write(tmp_path, HEAD + f"prompt: '{{{{ text }}}}'\ninputs: {{files: [{files}]{more}}}\n")

    (said,) = diagnostics_of(lambda: check(source(job("documents/*"))))
    match = re.search(r"exclude it with `(\"!.*\")` in `inputs.files`; `inputs.on_bad_row: skip` sends", said)
    assert match is not None, said
    assert check(source(job("documents/*", match[1]))).total == 1
    skipping = check(source(job("documents/*", more=", on_bad_row: skip")))
    assert skipping.total == 1
    (skipped,) = skipping.skipped
    assert skipped.hint.endswith(f"exclude it with `{match[1]}` in `inputs.files`"), "others are sent already"


def test_without_kreuzberg_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kreuzberg", None)
    assert diagnostics_of(lambda: check(source(_job(tmp_path, "a.html", HTML)))) == [
        "a.html: `.html` needs kreuzberg, which is not installed; pip install 'promptjobs[documents]'"
    ]


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.rst", "a"])
def test_text_and_markdown_stay_as_they_are(name: str, tmp_path: Path) -> None:
    text = "# Title\n\n<b>not</b> markup  \n"
    assert by_id(source(_job(tmp_path, name, text.encode())))[name].messages[0]["content"] == text
