"""Images: paths inside the root travel as data, URLs are passed on, and nothing else gets through."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from batch.inputs import check
from tests.support.inputs_support import by_id, marks, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBP"
SOMEWHERE = {"provider": "openai", "base_url": "http://h/v1", "model": "m"}


def _data(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _urls(message: dict[str, Any]) -> list[str]:
    return [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "photos").mkdir(parents=True)
    for name, data in (("a.png", PNG), ("b.jpg", JPEG), ("c.gif", GIF), ("d.webp", WEBP)):
        (root / "photos" / name).write_bytes(data)
    return root


def test_a_path_becomes_a_part_of_the_users_last_message(folder: Path) -> None:
    text = "system: Be brief.\nprompt: What is this?\nimages: photos/a.png\n"
    (request,) = source(write(folder, HEAD + text)).requests()
    assert request.messages == (
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": _data("png", PNG)}},
            ],
        },
    )


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("photos/a.png", _data("png", PNG)),
        ("photos/b.jpg", _data("jpeg", JPEG)),
        ("photos/c.gif", _data("gif", GIF)),
        ("photos/d.webp", _data("webp", WEBP)),
        ("https://example.org/x.png?size=1", "https://example.org/x.png?size=1"),
        ("http://127.0.0.1:9/never-fetched", "http://127.0.0.1:9/never-fetched"),
        ("data:image/png;base64,AA==", "data:image/png;base64,AA=="),
    ],
)
def test_kinds_of_images(image: str, url: str, folder: Path) -> None:
    (request,) = source(write(folder, HEAD + f"prompt: x\nimages: ['{image}']\n")).requests()
    assert _urls(request.messages[0]) == [url]


def test_a_prompt_has_its_own_or_those_of_the_job(folder: Path) -> None:
    text = """\
        images: [photos/a.png]
        prompts:
          - {id: own, prompt: x, images: [photos/b.jpg, 'https://example.org/c.png']}
          - {id: jobs, prompt: x}
        """
    lines = "\n".join(line[8:] for line in text.split("\n"))
    requests = by_id(source(write(folder, HEAD + lines)))
    assert _urls(requests["own"].messages[0]) == [_data("jpeg", JPEG), "https://example.org/c.png"]
    assert _urls(requests["jobs"].messages[0]) == [_data("png", PNG)]


def test_a_row_names_its_image_and_a_changed_image_is_asked_again(folder: Path) -> None:
    write(folder, "id,photo\none,photos/a.png\ntwo,photos/b.jpg\n", "rows.csv")
    text = "prompt: x\nimages: ['{{ photo }}']\ninputs: {csv: rows.csv}\n"
    path = write(folder, HEAD + text)
    before = marks(source(path))
    (folder / "photos" / "b.jpg").write_bytes(JPEG + b"changed")
    after = marks(source(path))
    assert before["one"] == after["one"]
    assert before["two"] != after["two"]


def test_a_row_of_a_jsonl_job_brings_its_own(folder: Path) -> None:
    parts = [{"type": "text", "text": "y"}]
    rows = [
        {"id": "a", "prompt": "x", "images": ["photos/a.png"]},
        {"id": "b", "messages": [{"role": "user", "content": parts}], "images": ["https://h/i.png"]},
        {"id": "c", "prompt": "x", "images": []},
    ]
    path = write(folder, "".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    requests = by_id(source(path, SOMEWHERE))
    assert _urls(requests["a"].messages[0]) == [_data("png", PNG)]
    assert requests["b"].messages[0]["content"] == [
        *parts,
        {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
    ]
    assert requests["c"].messages[0]["content"] == "x"


HOSTILE = [
    ("../secret.png", '"../secret.png": is outside'),
    ("/etc/passwd", '"/etc/passwd": is outside'),
    ("link.png", "link.png: is outside"),
    ("pipe.png", "pipe.png: not a regular file"),
    ("none.png", "none.png: no such file"),
    ("photos", "photos: not a regular file"),
    ("rows.csv", "rows.csv: not an image; supported formats are PNG, JPEG, GIF and WebP"),
    ("file:///etc/passwd", '"file:///etc/passwd": neither a path nor an http or https URL'),
    ("data:text/html,x", '"data:text/html,x": neither a path nor an http or https URL'),
    ("{{ 7 * 7 }}", '"{{ 7 * 7 }}": no such file'),
]


@pytest.mark.parametrize(("image", "what"), HOSTILE)
def test_what_a_row_may_not_name(image: str, what: str, folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    os.mkfifo(folder / "pipe.png")
    write(folder, f'id,photo\none,"{image}"\n', "rows.csv")
    table = write(folder, HEAD + "prompt: x\nimages: ['{{ photo }}']\ninputs: {csv: rows.csv}\n")
    rows = write(folder, json.dumps({"prompt": "x", "images": [image]}) + "\n", "rows.jsonl")
    of_table = diagnostics_of(lambda: check(source(table)))
    of_rows = diagnostics_of(lambda: check(source(rows, SOMEWHERE)))
    assert len(of_table) == len(of_rows) == 1
    assert of_table[0].startswith(f"rows.csv:2:1: prompt: images[0]: {what}")
    assert of_rows[0].startswith(f"rows.jsonl:1:1: images[0]: {what}")


def test_a_template_in_the_list_is_checked_like_any_other(folder: Path) -> None:
    path = write(folder, HEAD + "prompt: x\nimages: ['{{ photo']\n")
    said = diagnostics_of(lambda: source(path))
    assert len(said) == 1
    assert said[0].startswith("5:11: images[0]: not a template: ")


def test_images_need_something_of_the_users_to_go_with(folder: Path) -> None:
    path = write(folder, HEAD + "messages: [{role: system, content: x}]\nimages: [photos/a.png]\n")
    assert diagnostics_of(lambda: check(source(path))) == [
        "5:10: images[0]: no user message to add the image to"
    ]
