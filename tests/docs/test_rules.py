"""Each rule of the architecture page names the tests and import contracts that hold it, and they exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = {
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
}


def rules(page: str) -> dict[int, str]:
    """The numbered rules of a page by their numbers."""
    section = page.partition("\n## Rules\n")[2].partition("\n## ")[0]
    parts = re.split(r"^(\d+)\. ", section, flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def held_by(rule: str) -> tuple[list[str], list[str]]:
    """The tests that a rule names, as ``path`` or ``path::name``, and the contracts."""
    holders = rule.partition("*Held by*")[2]
    contracts = [" ".join(name.split()) for name in re.findall(r'contract\s+"([^"]+)"', holders)]
    return re.findall(r"`(tests/[^`]+)`", holders), contracts


def is_there(test: str) -> bool:
    """Whether a test file exists, and has a function or a test case of that name."""
    path, _, name = test.partition("::")
    if not (ROOT / path).is_file() or not Path(path).name.startswith("test_"):
        return False
    text = (ROOT / path).read_text(encoding="utf-8")
    defined = rf"^(?:async )?def {name}\(|^{name} = \w+\.TestCase$"
    return not name or re.search(defined, text, re.MULTILINE) is not None


RULES = rules(PAGE)


def test_rules_are_numbered_without_a_gap() -> None:
    assert list(RULES) == list(range(1, len(RULES) + 1))
    assert len(RULES) == 31


@pytest.mark.parametrize("number", RULES)
def test_each_rule_is_held_by_a_test_or_a_contract(number: int) -> None:
    tests, contracts = held_by(RULES[number])
    assert tests or contracts
    assert [test for test in tests if not is_there(test)] == []
    assert set(contracts) <= CONTRACTS


def test_what_is_missing_is_found() -> None:
    page = (
        '\n## Rules\n1. One.\n   *Held by* `tests/a.py::b`, the contract "x\n   y"\n2. Two `tests/c.py`.\n'
        "\n## Next\n3. No"
    )
    assert {number: held_by(rule) for number, rule in rules(page).items()} == {
        1: (["tests/a.py::b"], ["x y"]),
        2: ([], []),
    }
    here = "tests/docs/test_rules.py"
    assert is_there(here)
    assert is_there(f"{here}::test_what_is_missing_is_found")
    assert is_there("tests/unit/scheduling/test_scheduler.py::TestScheduler")
    assert not is_there(f"{here}::test_what_is")
    assert not is_there("tests/docs/test_none.py")
    assert not is_there("tests/docs/trace_ways.py")


PACKAGES = {path.name for path in (ROOT / "batch").iterdir() if path.is_dir() and path.name != "__pycache__"}


def resolves(name: str) -> bool:
    """Whether a dotted name is a module of ``batch``, or a name that one defines."""
    path = ROOT / "batch" / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module, defined = path.parent.with_suffix(".py"), path.name
    if not module.is_file():
        return False
    text = module.read_text(encoding="utf-8")
    return re.search(rf"^(?:async )?(?:def|class) {defined}\b|^{defined}\b", text, re.MULTILINE) is not None


def test_every_module_that_the_page_names_is_there() -> None:
    names = set(re.findall(r"`((?:batch\.)?[a-z_]+(?:\.\w+)+)`", PAGE))
    ours = {
        name.removeprefix("batch.") for name in names if name.removeprefix("batch.").split(".")[0] in PACKAGES
    }
    assert len(ours) > 50
    assert {name for name in ours if not resolves(name)} == set()
