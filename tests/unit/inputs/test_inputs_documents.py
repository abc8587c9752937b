"""Documents and rows: what becomes a variable, what becomes an id, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batch.inputs import check
from batch.jobfile import load
from tests.support.inputs_support import by_id, source, source_of
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

ALL = "prompt: '{{ path }}|{{ name }}|{{ stem }}|{{ text }}'\n"
EXCLUDE = ', or exclude it with `"!documents/image.txt"` in `inputs.files`'
SKIP = "; `inputs.on_bad_row: skip` sends the others"


def _job(folder: Path, files: str, prompt: str = ALL) -> Path:
    return write(folder, HEAD + prompt + f"inputs: {{files: {files}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def test_a_document_becomes_variables_an_id_and_its_path_as_metadata(tmp_path: Path) -> None:
    write(tmp_path, "Hello.\n\n", "documents/a.txt")
    write(tmp_path, "World", "documents/sub/b.c.txt")
    path = _job(tmp_path, "[documents/**/*.txt]")
    assert _texts(path) == {
        "a.txt": "documents/a.txt|a.txt|a|Hello.\n\n",
        "sub/b.c.txt": "documents/sub/b.c.txt|b.c.txt|b.c|World",
    }
    assert [request.metadata for request in source(path).requests()] == [
        {"path": "documents/a.txt"},
        {"path": "documents/sub/b.c.txt"},
    ]


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("documents/*.txt", ["a.txt", "b.txt"]),
        ("documents/**", ["a.txt", "b.md", "b.txt", "sub/c.txt"]),
        ("documents/a.txt", ["a.txt"]),
        ("'documents/[b]*'", ["b.md", "b.txt"]),
        ("'**/c.txt'", ["documents/sub/c.txt"]),
        ("'documents/odd[1].txt'", ["odd[1].txt"]),
        ("documents/sub/../?.md", ["b.md"]),
        ("[documents/b.*, documents/*.txt]", ["b.md", "b.txt", "a.txt"]),
    ],
)
def test_patterns(pattern: str, ids: list[str], tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "b.md", "sub/c.txt", ".hidden.txt", "sub/.git/x.txt"):
        write(tmp_path, "x", f"documents/{name}")
    if "odd" in pattern:
        write(tmp_path, "x", "documents/odd[1].txt")
    assert [request.id for request in source(_job(tmp_path, pattern)).requests()] == ids


def test_hidden_documents_are_read_where_the_user_allows_their_folder(tmp_path: Path) -> None:
    for name in ("a.txt", ".hidden.txt", ".git/x.txt"):
        write(tmp_path, "x", f"documents/{name}")
    path = _job(tmp_path, "[documents/.*.txt, documents/.git/*]")
    opened = source_of(load(path, allow=[tmp_path / "documents"]))
    assert [request.id for request in opened.requests()] == [".hidden.txt", "x.txt"]


def test_a_new_document_never_renames_another(tmp_path: Path) -> None:
    write(tmp_path, "x", "documents/a.txt")
    path = _job(tmp_path, "documents/**/*.txt")
    before = _texts(path)
    write(tmp_path, "y", "documents/new/a.txt")
    after = _texts(path)
    assert before.items() < after.items()
    assert len(after) == 2


def test_a_byte_order_mark_is_dropped_and_line_ends_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    assert _texts(_job(tmp_path, "a.txt", "prompt: '{{ text }}'\n")) == {"a.txt": "one\r\ntwo\n"}


def test_every_bad_document_is_named(tmp_path: Path) -> None:
    outside, root = tmp_path / "secret.txt", tmp_path / "root"
    outside.write_text("secret")
    write(root, "fine", "documents/a.txt")
    (root / "documents" / "image.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    (root / "documents" / "link.txt").symlink_to(outside)
    (root / "documents" / "loose.txt").symlink_to("nowhere")
    (root / "documents" / "folder.txt").mkdir()
    os.mkfifo(root / "documents" / "pipe.txt")
    path = _job(root, "[documents/*.txt, none/*.txt]")
    assert sorted(diagnostics_of(lambda: check(source(path)))) == [
        "5:35: inputs.files[1]: no document matches; patterns are relative to the job file",
        "image.txt: not text in a known encoding; save the document as UTF-8" + EXCLUDE + SKIP,
        "link.txt: inputs.files[0]: is outside the job's root; `--allow-path` allows another folder",
        "loose.txt: no such file",
        "pipe.txt: not a regular file",
    ]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("../*.txt", "is outside"),
        ("/etc/*", "is outside"),
        ("link/*.txt", "is outside"),
        (".hidden.txt", "is hidden below"),
        ("documents/.*.txt", "is hidden below"),
        ("'*/.git/*'", "is hidden below"),
        (".git/**", "is hidden below"),
        ("a**/b", "`**` must be a path component"),
        ("'*/../x'", "`..` after a wildcard"),
        (".", "not a pattern of files"),
        ("''", "must not be empty"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_an_error(pattern: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    said = diagnostics_of(lambda: source(_job(tmp_path, f"[{pattern}]")))
    assert len(said) == 1
    assert said[0].startswith("5:18: inputs.files[0]: ")
    assert what in said[0]


def test_folders_that_link_to_themselves_are_not_walked_for_ever(tmp_path: Path) -> None:
    write(tmp_path, "x", "documents/a.txt")
    for name in ("here", "again", "more"):
        (tmp_path / "documents" / name).symlink_to(tmp_path / "documents")
    assert list(_texts(_job(tmp_path, "documents/**/*.txt"))) == ["a.txt"]


def test_names_that_no_file_can_have_match_nothing(tmp_path: Path) -> None:
    for pattern in ("x" * 300, f"{'x' * 300}/*.txt", f"*/{'x' * 300}"):
        said = diagnostics_of(lambda pattern=pattern: check(source(_job(tmp_path, f"['{pattern}']"))))  # type: ignore[misc]
        assert [line.partition(": ")[2] for line in said] == [
            "inputs.files[0]: no document matches; patterns are relative to the job file"
        ]


def test_a_name_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "x", os.fsdecode(b"caf\xe9.txt"))
    assert diagnostics_of(lambda: check(source(_job(tmp_path, "'*.txt'")))) == [
        "caf\ufffd.txt: a name that is not UTF-8; rename the document"
    ]


def test_links_that_lead_in_circles_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("b.txt")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert diagnostics_of(lambda: check(source(_job(tmp_path, "a.txt")))) == [
        "a.txt: too many levels of symbolic links"
    ]


def test_two_documents_with_one_name_in_two_folders_have_two_ids(tmp_path: Path) -> None:
    for folder in ("one", "two", "three"):
        write(tmp_path, folder, f"{folder}/a.txt")
    path = _job(tmp_path, "[one/*.txt, two/*.txt, three/*.txt]", "prompt: '{{ text }}'\n")
    assert _texts(path) == {"a.txt": "one", "two/a.txt": "two", "three/a.txt": "three"}


# Rows.


def _rows_job(folder: Path, rows: str, more: str = "", prompt: str = "prompt: '{{ word }}'\n") -> Path:
    write(folder, rows, "rows.jsonl")
    return write(folder, HEAD + prompt + f"inputs: {{jsonl: rows.jsonl{more}}}\n")


def test_columns_become_variables_and_the_column_id_the_id(tmp_path: Path) -> None:
    path = _rows_job(tmp_path, '{"id": "x", "word": "one"}\n{"id": 2, "word": "two"}\n')
    assert _texts(path) == {"x": "one", "2": "two"}


def test_another_column_may_hold_the_id(tmp_path: Path) -> None:
    path = _rows_job(tmp_path, '{"key": "k", "id": {}, "word": "one"}\n', ", id_field: key")
    assert _texts(path) == {"k": "one"}


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    rows = """\
        {"key": "a", "word": "x"}
        {"key": "b"}
        []
        {"word": "x"}
        {"key": "", "word": "x"}
        {"key": "a", "word": 1}
        """
    path = _rows_job(tmp_path, rows, ", id_field: key")
    assert diagnostics_of(lambda: check(source(path))) == [
        "4:13: prompt: no variable `word` for the prompt, in 1 of 3 rows, first in rows.jsonl:2; it has key",
        "rows.jsonl:3:1: expected a JSON object, got a list",
        "rows.jsonl:4:1: key: is missing; the columns are word",
        "rows.jsonl:5:2: key: must not be empty",
        "rows.jsonl:6:1: duplicate id a; the first is on line 1; ids must be unique",
    ]


def test_an_undefined_variable_is_named_with_what_was_meant(tmp_path: Path) -> None:
    path = _rows_job(tmp_path, '{"title": "x"}\n', prompt="prompt: 'On {{ titel }}'\n")
    assert diagnostics_of(lambda: check(source(path))) == [
        "4:16: prompt: no variable `titel` for the prompt, in the only row; did you mean `title`?"
    ]


def test_a_variable_without_any_inputs_is_named_where_the_prompt_is(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "prompt: 'On {{ text }}'\n")
    assert diagnostics_of(lambda: check(source(path))) == [
        "4:16: prompt: no variable `text` for the prompt; the job has no inputs"
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "word + 1",
        "1 / 0",
        "[][0].x",
        "range(10000000)",
        "'\\\\ud800'",
        "'%d' % word",
    ],
)
def test_a_template_that_fails_is_an_error_of_the_template(expression: str, tmp_path: Path) -> None:
    path = _rows_job(tmp_path, '{"word": "x"}\n', prompt=f'prompt: "{{{{ {expression} }}}}"\n')
    said = diagnostics_of(lambda: check(source(path)))
    assert len(said) == 1
    assert said[0].startswith("4:10: prompt: ") or "surrogate" in said[0]


def test_the_end_of_a_prompt_stays_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, "x", "a.txt")
    path = _job(tmp_path, "a.txt", "prompt: |+\n  {{ text }}\n\n")
    assert _texts(path) == {"a.txt": "x\n\n"}
