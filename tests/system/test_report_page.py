"""Reports in a real browser, opened from the disk: what a reader can do, and what hostile text cannot."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from batch.app.inspect import diff, diff_page
from batch.app.inspect.report import of_output, write
from batch.codec import encode_line, encode_result
from batch.records import Usage
from batch.report.model import Settings
from batch.results.run_history import history_path
from tests.support import hostile_reports
from tests.support.browser import MISSING, Page, browser, opened
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.records import Result

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.filterwarnings("default::ResourceWarning"),  # Playwright's own sockets
]

AXE = os.environ.get("AXE_CORE", "")
"""The path of axe-core's script, which npm has."""


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Path:
    output = folder / "<img src=x onerror=window.canary=1>.jsonl"
    hostile_reports.write(output)
    page = folder / "hostile.html"
    write([of_output(output)], page, Settings())
    return page


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    """Thirty answers, of which every tenth failed; two models have answered each prompt."""
    output = folder / "plain.jsonl"
    lines = []
    for number in range(30):
        for model in ("small", "large"):
            name = f"row-{number:02}/{model}"
            if number % 10 == 3 and model == "small":
                lines.append(replace(failed(name, message=f"lost after {number} s"), target=model))
                continue
            result = succeeded(name, f"The {model} model's answer number {number}.")
            result = replace(result, cost=0.25, cost_source="provider" if model == "large" else UNSET)
            lines.append(
                replace(
                    result,
                    target=model,
                    model=model,
                    usage=Usage(100 - number, number, None),
                    redacted=number == 5,
                    metadata={"country": "PL" if number % 2 else "DE"},
                    parsed={"label": "odd" if number % 2 else "even", "size": number},
                    messages=[
                        {"role": "system", "content": "Be brief."},
                        {"role": "user", "content": f"Question {number}: where is the heron?"},
                    ],
                )
            )
    output.write_bytes(b"".join(map(encode_result, lines)))
    history_path(output).write_bytes(encode_line(hostile_reports.record(output, "http_429")))
    page = folder / "plain.html"
    write([of_output(output)], page, Settings())
    return page


@pytest.fixture
def page(running: Any) -> Iterator[Page]:
    """A page that must neither complain nor ask for anything but its file."""
    with opened(running) as found:
        yield found
        assert found.said == []
        assert {url.split("#")[0].split("/")[0] for url in found.asked} <= {"file:", "data:"}


def test_hostile_text_runs_nothing_and_is_shown(page: Page, hostile: Path) -> None:
    page.open(hostile)
    assert page.page.evaluate("[...document.scripts].filter((each) => !each.type).length") == 1
    for number, text in enumerate(hostile_reports.HOSTILE):
        address = page.page.evaluate("(id) => '#id=' + encodeURIComponent(id)", f"{number} {text}")
        page.page.evaluate("(hash) => { location.hash = hash; }", address)
        page.page.locator("#row h2", has_text=re.compile(f"^{number} ")).wait_for()
        shown = page.text("#row")
        assert _visible(text) in shown, text
        assert page.page.locator("#row :is(script, iframe, img, svg, a, link, meta)").count() == 0
    assert page.page.evaluate("window.canary") is None


def _visible(text: str) -> str:
    """The text as the page writes it: characters that cannot be seen are escaped."""
    escapes = {
        "\u202e": "\\u202e", "\u202c": "\\u202c", "\u2066": "\\u2066", "\u2069": "\\u2069", "\x00": "\\x00",
        "\x07": "\\x07", "\x1b": "\\x1b", "\x7f": "\\x7f", "\x85": "\\x85", "\ufeff": "\\ufeff",
    }  # fmt: skip
    return text.translate({ord(character): escape for character, escape in escapes.items()})


def test_the_policy_is_in_force(running: Any, plain: Path) -> None:
    with opened(running) as page:
        page.open(plain)
        blocked = page.page.evaluate(
            """() => new Promise((resolve) => {
              const found = [];
              document.addEventListener("securitypolicyviolation", (event) => {
                found.push(event.effectiveDirective);
              });
              const script = document.createElement("script");
              script.textContent = "window.canary = 1";
              const style = document.createElement("style");
              style.textContent = "body { color: red }";
              const image = document.createElement("img");
              image.src = "http://127.0.0.1:9/a.png";
              document.body.append(script, style, image);
              fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => resolve(found), 200));
            })"""
        )
        assert {"script-src-elem", "style-src-elem", "img-src", "connect-src"} <= set(blocked)
        assert page.page.evaluate("window.canary") is None


def test_without_scripts_the_head_and_the_timeline_are_readable(running: Any, hostile: Path) -> None:
    with opened(running, java_script_enabled=False) as page:
        page.page.goto(hostile.as_uri())
        shown = page.text("main")
        assert "succeeded" in shown
        assert "needs JavaScript" in shown
        assert page.page.locator("svg path.curve").first.is_visible()
        assert page.page.locator("h1").inner_text() == "<img src=x onerror=window.canary=1>"
        assert hostile_reports.HOSTILE[0] in page.text("#failures")
        assert page.page.locator("main :is(iframe, link, meta, img)").count() == 0


def test_a_very_long_line_is_shown_in_part(page: Page, hostile: Path) -> None:
    page.open(hostile, "#id=long")
    button = page.page.get_by_role("button", name="Show all 5,000,000 characters")
    assert len(page.text(".answers .text")) == 100_000
    button.click()
    assert page.page.evaluate("document.querySelector('.answers .text').textContent.length") == 5_000_000
    assert page.page.locator("#row img").count() == 0


def test_a_lone_surrogate_is_shown(page: Page, hostile: Path) -> None:
    page.open(hostile, "#id=lone%20surrogate")
    assert page.text(".answers .text") == "before \ufffd after"


def test_search_finds_prompts_answers_and_errors(page: Page, plain: Path) -> None:
    page.open(plain)
    queries = {"question 7:": 2, "LARGE model's": 30, "lost after": 3, "row-0": 20, "xyz": 0}
    for query, number in queries.items():
        page.page.fill("input[type=search]", query)
        page.page.get_by_text(f"{number} of 60 results", exact=True).wait_for()
    assert page.page.get_by_text("No result matches.").is_visible()


def test_search_finds_values_of_keys_that_differ_only_by_case(page: Page, folder: Path) -> None:
    output = folder / "keys.jsonl"
    parsed = {"Name": "A zebra", "name": "A horse"}
    lines = [replace(succeeded("a", "Two animals."), parsed=parsed), succeeded("b", "None.")]
    output.write_bytes(b"".join(map(encode_result, lines)))
    write([of_output(output)], folder / "keys.html", Settings())
    page.open(folder / "keys.html")
    for query in ("zebra", "Horse"):
        page.page.fill("input[type=search]", query)
        page.page.get_by_text("1 of 2 results", exact=True).wait_for()


def test_filters_and_sorting(page: Page, plain: Path) -> None:
    page.open(plain)
    page.page.get_by_label("Filter by status").select_option(label="failed (3)")
    assert page.texts(".rows .id") == ["row-03/small", "row-13/small", "row-23/small"]
    page.page.get_by_label("Filter by status").select_option(label="Any status")
    page.page.get_by_label("Filter by model").select_option(label="small (30)")
    page.page.get_by_role("button", name="Out", exact=True).click()
    assert page.texts(".rows .id")[:3] == ["row-29/small", "row-28/small", "row-27/small"]
    page.page.get_by_role("button", name="Out", exact=True).click()
    assert page.texts(".rows .id")[:3] == ["row-00/small", "row-01/small", "row-02/small"]
    assert page.page.locator("[aria-sort=ascending]").inner_text() == "Out"


def test_a_permalink_opens_the_answers_of_all_models_beside_the_prompt(page: Page, plain: Path) -> None:
    page.open(plain, "#id=row-05%2Flarge")
    assert page.text("#row h2") == "row-05/large"
    assert "Question 5: where is the heron?" in page.text(".prompt")
    assert [text.split("\n")[0] for text in page.texts(".answers .card h3")] == ["small", "large"]
    assert "The small model's answer number 5." in page.text(".answers")
    assert page.page.locator(".card.this h3").inner_text().startswith("large")
    facts = page.text("#row > .facts")
    assert "0.25, stated by the provider" in facts
    assert "the server's text held a secret, which was removed" in facts
    prompt, answers = (
        page.page.locator(".prompt").bounding_box(),
        page.page.locator(".answers").bounding_box(),
    )
    assert prompt["y"] == answers["y"]
    assert prompt["x"] + prompt["width"] < answers["x"]


def test_the_answers_of_two_outputs_are_side_by_side(page: Page, folder: Path) -> None:
    for day in ("monday", "tuesday"):
        answers = [succeeded(f"row {number}", f"The answer of {day}.") for number in range(3)]
        (folder / f"{day}.jsonl").write_bytes(b"".join(map(encode_result, answers)))
    path = folder / "days.html"
    write([of_output(folder / f"{day}.jsonl") for day in ("monday", "tuesday")], path, Settings())
    page.open(path, "#id=row%201&output=1")
    assert page.texts(".answers .text") == ["The answer of monday.", "The answer of tuesday."]
    assert page.page.locator(".card.this h3").inner_text().startswith("tuesday")
    assert "The output does not hold the prompt." in page.text("#row")
    page.page.keyboard.press("Escape")
    page.page.get_by_label("Filter by output").select_option(label="tuesday (3)")
    assert len(page.texts(".rows .id")) == 3


def test_the_keyboard_is_enough(page: Page, plain: Path) -> None:
    page.open(plain)
    keys = page.page.keyboard
    for key in ("j", "j", "j", "k"):
        keys.press(key)
    assert page.text(".rows .current .id") == "row-01/small"
    keys.press("Enter")
    page.page.get_by_role("heading", name="row-01/small").wait_for()
    keys.press("j")
    page.page.get_by_role("heading", name="row-01/large").wait_for()
    keys.press("Escape")
    assert page.text(".rows .current .id") == "row-01/large"
    keys.press("/")
    keys.type("question 9")
    page.page.get_by_text("2 of 60 results").wait_for()
    keys.press("Escape")
    page.page.get_by_text("60 results", exact=True).wait_for()


def test_a_failure_leads_to_its_row(page: Page, plain: Path) -> None:
    page.open(plain)
    assert "lost after 3 s" in page.text(".failure")
    page.page.locator(".ids a").nth(1).click()
    page.page.get_by_role("heading", name="row-13/small").wait_for()
    assert "http_500: lost after 13 s" in page.text(".answers")


def test_a_failure_with_a_hostile_id_leads_to_its_row(page: Page, hostile: Path) -> None:
    page.open(hostile)
    links = page.page.locator(".ids a")
    assert links.count() == len(hostile_reports.HOSTILE)
    for text in (hostile_reports.HOSTILE[0], "__proto__"):
        links.filter(has_text=f"failed {text}").click()
        page.page.locator("#row h2", has_text=f"failed {text}").wait_for()
        page.page.keyboard.press("Escape")


def test_the_timeline_says_what_is_under_the_pointer(page: Page, plain: Path) -> None:
    page.open(plain)
    assert page.text(".readout") == ""
    box = page.page.locator(".chart svg").first.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 10)
    assert page.text(".readout") == "2–3 s: succeeded 1 / s · in flight 1 · limit 4 · http_429 1"


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Path:
    """Two outputs of twenty requests: five have changed, one fails, one is new, one is gone."""

    def answered(number: int, colour: str, **more: Any) -> Result:
        return replace(succeeded(f"car {number:02}", f"Car {number} is {colour}."), **more)

    old = [answered(number, "red") for number in range(20)]
    new = [answered(number, "red" if number % 4 else "very blue", model="large") for number in range(1, 20)]
    old[1] = replace(old[1], parsed={"size": 1, "tags": ["a"], "same": 0})
    new[0] = replace(new[0], parsed={"size": 2, "tags": ["a", "<b>"], "same": 0.0})
    new[2] = failed("car 03", message="down")
    page = folder / "comparison.html"
    write_comparison(folder, [*old], [*new, answered(20, "new")], page)
    return page


def write_comparison(folder: Path, old: list[Result], new: list[Result], page: Path) -> None:
    for name, results in (("old", old), ("new", new)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(map(encode_result, results)))
    before, after = (diff.of_output(folder / f"{name}.jsonl") for name in ("old", "new"))
    with diff.compared(before, after, diff.Selection()) as found:
        diff_page.write(found, before, after, page)


def test_a_comparison_shows_what_differs(page: Page, comparison: Path) -> None:
    page.open(comparison)
    assert page.text("h1") == "old.jsonl → new.jsonl"
    facts = page.texts("#summary > .facts div")
    assert [" ".join(text.split()) for text in facts] == [
        *("changed 5", "now failing 1", "added 1", "removed 1", "same 13")
    ]
    assert page.page.get_by_text("8 of 21 results", exact=True).is_visible()
    ids = ["car 00", "car 01", "car 03", "car 04", "car 08", "car 12", "car 16", "car 20"]
    assert page.texts(".rows .id") == ids
    changes = ["removed", "changed", "now failing", *["changed"] * 4, "added"]
    assert page.texts(".rows .change") == changes
    chooser = page.page.get_by_label("Filter by change")
    for label, number in {"now failing (1)": 1, "same (13)": 13, "Any change": 21, "changed (5)": 5}.items():
        chooser.select_option(label=label)
        assert len(page.texts(".rows .id")) == number


def test_a_comparison_is_searched_in_both_outputs(page: Page, comparison: Path) -> None:
    page.open(comparison)
    for query, ids in {"4 is red": ["car 04"], "8 is very blue": ["car 08"], "down": ["car 03"]}.items():
        page.page.fill("input[type=search]", query)
        page.page.get_by_text("1 of 21 results", exact=True).wait_for()
        page.page.locator(".rows .id", has_text=ids[0]).wait_for()
        assert page.texts(".rows .id") == ids


def test_changed_words_are_marked(page: Page, comparison: Path) -> None:
    page.open(comparison, "#id=car%2004")
    titles = [text.split("\n")[0] for text in page.texts(".answers .card h3")]
    assert titles == ["before · summary", "after · large"]
    assert page.texts(".answers .text") == ["Car 4 is red.", "Car 4 is very blue."]
    assert page.texts(".answers del") == ["red."]
    assert page.texts(".answers ins") == ["very blue."]
    assert "summary → large" in page.text("#row > .facts")
    page.page.keyboard.press("j")
    page.page.locator("#row h2", has_text="car 08").wait_for()
    page.page.keyboard.press("Escape")
    assert page.text(".rows .current .id") == "car 08"


def test_changed_fields_are_listed(page: Page, comparison: Path) -> None:
    page.open(comparison, "#id=car%2001")
    assert page.page.locator(".more th").all_inner_texts() == ["Field", "Before", "After"]
    assert page.texts(".more td") == ["size", "1", "2", "tags[1]", "–", "<b>"]


def test_a_row_of_one_output_alone_opens(page: Page, comparison: Path) -> None:
    page.open(comparison, "#id=car%2000")
    assert page.texts(".answers .text") == ["Car 0 is red."]
    page.open(comparison, "#id=car%2020")
    assert page.texts(".answers .text") == ["Car 20 is new."]
    assert page.page.locator(".answers :is(del, ins)").count() == 0


WORDS = [
    ("a b c d", "a x c d e", ["b"], ["x", "e"]),
    ("", "a b", [], ["a b"]),
    ("a b", "", ["a b"], []),
    ("a\n b", "a b", [], []),
    ("x a b c y", "a b c", ["x", "y"], []),
    ("東京は日本の首都", "東京が日本の首都", ["は"], ["が"]),
    ("one two", "three four five", ["one two"], ["three four five"]),
]


def test_words_that_differ(page: Page, comparison: Path) -> None:
    page.open(comparison)
    for before, after, removed, added in WORDS:
        found = page.page.evaluate(
            "(texts) => changedRanges(...texts).map((ranges, at) => "
            "ranges.map(([start, end]) => texts[at].slice(start, end)))",
            [before, after],
        )
        assert found == [removed, added], (before, after)
    long = ["w1 " + "a " * 200_000, "w2 " + "b " * 200_000]
    assert page.page.evaluate("(texts) => changedRanges(...texts).map((ranges) => ranges.length)", long) == [
        1,
        1,
    ]


def test_a_comparison_of_hostile_text_runs_nothing(page: Page, folder: Path) -> None:
    old = hostile_reports.results()
    new = [replace(result, text=f"{result.text} changed", model=f"{result.model}!") for result in old]
    new = [result if result.status == "succeeded" else replace(result, text=None) for result in new]
    new = [replace(each, parsed=each.parsed and {**each.parsed, "__proto__": "<b>"}) for each in new]
    path = folder / "hostile-comparison.html"
    write_comparison(folder, old, new, path)
    page.open(path)
    for number, text in enumerate(hostile_reports.HOSTILE):
        address = page.page.evaluate("(id) => '#id=' + encodeURIComponent(id)", f"{number} {text}")
        page.page.evaluate("(hash) => { location.hash = hash; }", address)
        page.page.locator("#row h2", has_text=re.compile(f"^{number} ")).wait_for()
        assert _visible(text) in page.text("#row"), text
        assert page.texts(".answers ins")[-1].endswith("changed")
        assert page.page.locator("#row :is(script, iframe, img, svg, a, link, meta)").count() == 0
    page.page.evaluate("location.hash = '#id=long'")
    page.page.locator("#row h2", has_text="long").wait_for()
    assert page.page.evaluate("window.canary") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(running: Any, plain: Path, comparison: Path, width: int, scheme: str) -> None:
    with opened(running, viewport={"width": width, "height": 760}, color_scheme=scheme) as page:
        for fragment in ("", "#id=row-05%2Flarge"):
            page.open(plain, fragment)
            assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.page.locator(".answers .text").first.is_visible()
        for fragment in ("", "#id=car%2001"):
            page.open(comparison, fragment)
            assert page.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif(not AXE, reason="AXE_CORE does not name axe-core's script")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "fragment"),
    [("plain", ""), ("plain", "#id=row-05%2Flarge"), ("comparison", ""), ("comparison", "#id=car%2004")],
)
def test_axe_finds_nothing_serious(
    running: Any, request: pytest.FixtureRequest, name: str, fragment: str, scheme: str
) -> None:
    with opened(running, bypass_csp=True, color_scheme=scheme) as page:
        page.open(request.getfixturevalue(name), fragment)
        page.page.add_script_tag(path=AXE)
        found = page.page.evaluate("async () => (await axe.run()).violations")
        serious = [
            (each["id"], node["html"], node["failureSummary"])
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert serious == []
