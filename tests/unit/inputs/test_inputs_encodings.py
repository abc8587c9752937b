"""Texts in other encodings than UTF-8: what is known, what is guessed and said, and what is no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.inputs.readers.encodings import Encoding, decoded, encoding_of
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, write

if TYPE_CHECKING:
    from pathlib import Path

CAFE = "Ein Café – für 5 €"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", Encoding("utf-8")),
        (b"plain", Encoding("utf-8")),
        (CAFE.encode(), Encoding("utf-8")),
        (CAFE.encode("utf-8-sig"), Encoding("utf-8-sig")),
        (CAFE.encode("utf-16"), Encoding("utf-16")),
        (b"\xfe\xff" + CAFE.encode("utf-16-be"), Encoding("utf-16")),
        (CAFE.encode("utf-32"), Encoding("utf-32")),
        (CAFE.encode("utf-16-le"), Encoding("utf-16-le", guessed=True)),
        (CAFE.encode("utf-16-be"), Encoding("utf-16-be", guessed=True)),
        (CAFE.encode("cp1252"), Encoding("cp1252", guessed=True)),
        ("naïve".encode("latin-1"), Encoding("cp1252", guessed=True)),
    ],
)
def test_a_text_is_read_in_its_encoding(data: bytes, encoding: Encoding) -> None:
    found = decoded(data)
    assert found is not None
    text, name = found
    assert name == encoding
    assert text in ("", "plain", "naïve", CAFE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", id="an image"),
        pytest.param(b"caf\xe9\x00", id="a NUL beside Windows-1252"),
        pytest.param(b"\xff\x81", id="a byte that Windows-1252 leaves open"),
        pytest.param(b"\xff\xfeabc", id="a mark of UTF-16 and half a character"),
        pytest.param(b"\xef\xbb\xbf\xff", id="a mark of UTF-8 and something else"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    assert decoded(data) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff")), st.integers(1, 9))
def test_blocks_make_no_difference(text: str, size: int) -> None:
    data = text.encode()
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    assert encoding_of(blocks) == encoding_of([data]) == Encoding("utf-8")


def test_a_guess_is_reported_once_for_all_documents(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(CAFE.encode("cp1252"))
    write(tmp_path, CAFE, "d.txt")
    job = source(write(tmp_path, HEAD + "prompt: '{{ text }}'\ninputs: {files: '*.txt'}\n"))
    texts = {name: request.messages[0]["content"] for name, request in by_id(job).items()}
    assert texts == dict.fromkeys(("a.txt", "b.txt", "c.txt", "d.txt"), CAFE)
    assert by_id(job).keys() == texts.keys()
    assert job.notices == [
        f"{tmp_path}/a.txt is not UTF-8; it is read as Windows-1252; so it is with 2 more files"
    ]
