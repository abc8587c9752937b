"""Failures by cause, and the distribution of structured answers."""

from __future__ import annotations

import pytest

from batch.records import ResultError
from batch.report.failures import MAX_GROUPS, MAX_IDS, Failures, normalized
from batch.report.fields import MAX_BARS, MAX_FIELDS, MAX_VALUES, Fields


def error(message: str, code: str = "http_500") -> ResultError:
    return ResultError(code, message, None, retryable=True, runs=1, history=[])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("worker 3 lost", "worker 17 lost"),
        ("you requested 2,472 tokens", "you requested 9,400 tokens"),
        ('unknown label "lamp"', 'unknown label "kettle"'),
        ("request req_7f3a9b2c11d0 failed", "request req_00ff9b2c99aa failed"),
        (f"id {'0' * 8}-1111-2222-3333-{'4' * 12}", f"id {'a' * 8}-b111-c222-d333-{'e' * 12}"),
    ],
)
def test_messages_that_differ_in_numbers_ids_and_quotes_are_one_cause(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


def test_messages_with_other_words_are_other_causes() -> None:
    assert normalized("worker lost") != normalized("worker gone")


def test_failures_are_grouped_the_largest_first() -> None:
    failures = Failures()
    failures.add(0, "a", error("no such model", "bad_request"))
    for number in range(MAX_IDS + 5):
        failures.add(1, f"row {number}", error(f"worker {number} lost"))
    largest, other = failures.groups()
    assert (largest.code, largest.count, largest.example) == ("http_500", MAX_IDS + 5, "worker 0 lost")
    assert largest.ids == [(1, f"row {number}") for number in range(MAX_IDS)]
    assert "retry sends these requests again" in largest.advice
    assert other.ids == [(0, "a")]
    assert "fails in the same way" in other.advice


def test_without_texts_messages_are_ignored() -> None:
    failures = Failures(has_text=False)
    failures.add(0, "a", error("the answer was: secret"))
    failures.add(0, "b", error("no answer"))
    (group,) = failures.groups()
    assert (group.count, group.example) == (2, "")


def test_many_messages_take_bounded_memory() -> None:
    failures = Failures()
    words = [
        chr(97 + number // 676) + chr(97 + number // 26 % 26) + chr(97 + number % 26)
        for number in range(2000)
    ]
    for word in words:
        failures.add(0, word, error(word))
    groups = failures.groups()
    assert len(groups) == MAX_GROUPS + 1
    assert sum(group.count for group in groups) == len(words)


def bars(fields: Fields, name: str) -> list[tuple[str, int]]:
    (field,) = (each for each in fields.views() if each.name == name)
    return [(bar.label, bar.count) for bar in field.bars]


def test_few_values_are_counted() -> None:
    fields = Fields()
    for label, size, is_new in (("odd", 3, True), ("even", 2, False), ("odd", 3, True), ("odd", 10, None)):
        fields.add({"label": label, "deep": {"size": size}, "new": is_new})
    assert bars(fields, "label") == [("odd", 3), ("even", 1)]
    assert bars(fields, "deep.size") == [("2", 1), ("3", 2), ("10", 1)]  # numbers in their order
    assert bars(fields, "new") == [("true", 2), ("false", 1), ("null", 1)]


def test_many_numbers_are_summed_up() -> None:
    fields = Fields()
    for number in range(1001):
        fields.add({"score": number / 10})
    (field,) = fields.views()
    assert [(fact.label, fact.value) for fact in field.facts] == [
        ("lowest", "0"), ("median", "50"), ("highest", "100"),
    ]  # fmt: skip


@pytest.mark.parametrize("texts", [["x" * 61, "y"], [f"text {number}" for number in range(MAX_VALUES + 1)]])
def test_free_text_is_measured(texts: list[str]) -> None:
    fields = Fields()
    for text in texts:
        fields.add({"reply": text})
    (field,) = fields.views()
    assert not field.bars
    assert [fact.value for fact in field.facts][-1] == str(max(map(len, texts)))


def test_more_values_than_bars_are_counted_together() -> None:
    fields = Fields()
    for number in range(3 * (MAX_BARS + 4)):
        fields.add(f"value {number % (MAX_BARS + 4)}")
    (field,) = fields.views()
    assert (field.name, len(field.bars), field.others) == ("answer", MAX_BARS, 4)


def test_many_fields_take_bounded_memory() -> None:
    fields = Fields()
    fields.add({f"field {number}": number for number in range(MAX_FIELDS + 10)})
    assert len(fields.views()) == MAX_FIELDS
