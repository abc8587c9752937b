"""Documents behind symbolic links, excluded ones, and names in two forms or two folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unicodedata import normalize

import pytest

from batch.inputs import check
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path


def _job(folder: Path, files: str, more: str = "") -> Path:
    return write(folder, HEAD + f"prompt: '{{{{ text }}}}'\ninputs: {{files: {files}{more}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def test_folders_behind_links_are_read(tmp_path: Path) -> None:
    write(tmp_path, "one", "store/2026/a.txt")
    write(tmp_path, "two", "documents/b.txt")
    (tmp_path / "documents" / "more").symlink_to("../store")
    assert _texts(_job(tmp_path, "documents/**/*.txt")) == {"b.txt": "two", "more/2026/a.txt": "one"}
    assert _texts(_job(tmp_path, "documents/*/*/*.txt")) == {"more/2026/a.txt": "one"}
    assert _texts(_job(tmp_path, "documents/more/**/*.txt")) == {"2026/a.txt": "one"}


def test_links_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, "one", "store/a.txt")
    write(tmp_path, "two", "documents/b.txt")
    (tmp_path / "documents" / "more").symlink_to("../store")
    (tmp_path / "documents" / "c.txt").symlink_to("../store/a.txt")
    assert list(_texts(_job(tmp_path, "documents/**/*.txt", ", follow_symlinks: false"))) == ["b.txt"]
    assert list(_texts(_job(tmp_path, "documents/c.txt", ", follow_symlinks: false"))) == ["c.txt"]


@pytest.mark.parametrize("link", ["latest.txt", "zz.txt", "0/a.txt"])
def test_a_link_does_not_take_over_the_id_of_a_document(link: str, tmp_path: Path) -> None:
    write(tmp_path, "x", "d/report.txt")
    (tmp_path / "d" / link).parent.mkdir(exist_ok=True)
    (tmp_path / "d" / link).symlink_to(tmp_path / "d" / "report.txt")
    assert _texts(_job(tmp_path, "d/**/*.txt")) == {"report.txt": "x"}
    assert _texts(_job(tmp_path, f"[d/{link}, d/report.txt]")) == {"report.txt": "x"}
    assert list(_texts(_job(tmp_path, f"d/{link}"))) == [link.rpartition("/")[2]]


def test_a_link_to_a_folder_does_not_take_over_the_ids_in_it(tmp_path: Path) -> None:
    write(tmp_path, "x", "d/runs/7/a.txt")
    (tmp_path / "d" / "latest").symlink_to("runs/7")
    assert _texts(_job(tmp_path, "d/**/*.txt")) == {"runs/7/a.txt": "x"}
    assert _texts(_job(tmp_path, "d/latest/*.txt")) == {"a.txt": "x"}


def test_of_several_links_to_one_document_the_first_is_read(tmp_path: Path) -> None:
    write(tmp_path, "x", "store/x.txt")
    (tmp_path / "d").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "d" / name).symlink_to("../store/x.txt")
    assert list(_texts(_job(tmp_path, "d/*.txt"))) == ["a.txt"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    write(tmp_path, "x", "d/one/a.txt")
    (tmp_path / "d" / "one" / "up").symlink_to("..")
    (tmp_path / "d" / "two").symlink_to("one")
    (tmp_path / "d" / "self").symlink_to("self")
    (tmp_path / "d" / "one" / "root").symlink_to(tmp_path)
    assert _texts(_job(tmp_path, "d/**/*.txt")) == {"one/a.txt": "x"}


def test_a_folder_that_leads_out_is_named(tmp_path: Path) -> None:
    write(tmp_path, "secret", "outside/s.txt")
    root = tmp_path / "root"
    write(root, "x", "d/a.txt")
    (root / "d" / "more").symlink_to("../../outside")
    path = _job(root, "d/**/*.txt")
    assert diagnostics_of(lambda: check(source(path))) == [
        "more: inputs.files[0]: is outside the job's root; `--allow-path` allows another folder"
    ]
    skipping = source(_job(root, "d/**/*.txt", ", on_bad_row: skip"))
    assert [(request.id, request.target) for request in skipping.requests()] == [("more", ""), ("a.txt", "m")]


def test_links_with_hidden_names_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "x", "d/a.txt")
    (tmp_path / "d" / ".venv").symlink_to("/usr")
    assert list(_texts(_job(tmp_path, "d/**/*.txt"))) == ["a.txt"]


@pytest.mark.parametrize(
    ("patterns", "ids"),
    [
        ("['d/**/*.txt', '!d/drafts/**']", ["a.txt", "x/drafts/b.txt"]),
        ("['d/**/*.txt', '!d/drafts']", ["a.txt", "x/drafts/b.txt"]),
        ("['!d/drafts/', 'd/**/*.txt']", ["a.txt", "x/drafts/b.txt"]),
        ("['d/**/*.txt', '!d/**/drafts']", ["a.txt"]),
        ("['d/**/*.txt', '!d/**/b*']", ["a.txt"]),
        ("['d/**/*.txt', '!none/*']", ["a.txt", "drafts/b.txt", "x/drafts/b.txt"]),
    ],
)
def test_a_mark_before_a_pattern_excludes(patterns: str, ids: list[str], tmp_path: Path) -> None:
    for name in ("a", "drafts/b", "x/drafts/b"):
        write(tmp_path, name, f"d/{name}.txt")
    assert list(_texts(_job(tmp_path, patterns))) == ids


def test_exclusions_alone_are_nothing_to_read(tmp_path: Path) -> None:
    assert diagnostics_of(lambda: source(_job(tmp_path, "['!a.txt']"))) == [
        "5:17: inputs.files: nothing to read; write a pattern without `!`, too"
    ]


@pytest.mark.parametrize(("written", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_accents_may_be_composed_in_two_ways(written: str, on_disk: str, tmp_path: Path) -> None:
    name = normalize(on_disk, "über.txt")  # type: ignore[arg-type]
    write(tmp_path, "x", f"d/{name}")
    for pattern in ("über.txt", "ü*.txt", "*ber.*"):
        path = _job(tmp_path, "d/" + normalize(written, pattern))  # type: ignore[arg-type]
        assert _texts(path) == {name: "x"}


def test_two_names_that_look_alike_are_two_documents(tmp_path: Path) -> None:
    names = [normalize("NFC", "é.txt"), normalize("NFD", "é.txt")]
    for name in names:
        write(tmp_path, name, f"d/{name}")
    assert _texts(_job(tmp_path, "d/*.txt")) == dict(zip(names, names, strict=True))


@pytest.mark.parametrize("name", ["two\nlines.txt", "tab\t.txt", "\x1b[31mred.txt", "quote'\".txt", " .txt"])
def test_every_name_that_is_text_is_an_id(name: str, tmp_path: Path) -> None:
    write(tmp_path, "x", os.path.join("d", name))
    assert list(_texts(_job(tmp_path, "d/*"))) == [name]
