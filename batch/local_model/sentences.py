"""Sentences of a plain text, in any language that ends them with a stop.

White space is normalised first: a paragraph's runs of it become one space. A blank line ends a sentence
in any case, so that a heading or an instruction above a text never runs into the text's first sentence.

The rules are few and lean towards too long a sentence rather than a broken one, because what is found
here is quoted word for word:

1. A stop is one or more of ``.!?…``, with the quotes and brackets that close after it.
2. It ends a sentence where a space follows and the next letter is not a small one.
3. A single full stop does not end one after an abbreviation, an initial, or a number that opens it ("1.").
4. The full-width stops ``。！？`` end a sentence wherever they stand, with no space asked for.
"""

from __future__ import annotations

import re
import unicodedata

_CLOSERS = r"""["'”’»›)\]」』）]"""
_OPENERS = r"""["'“‘«‹(\[「『（¿¡—–-]"""
_STOP = re.compile(
    rf"(?P<stop>[.!?…]+){_CLOSERS}*(?P<gap> )(?={_OPENERS}*(?P<next>\w)?)"
    rf"|[。！？]+{_CLOSERS}*(?P<gapless> ?)(?=.)"
)
_ENDED = re.compile(rf"[.!?…。！？]{_CLOSERS}*$")
_BLANK_LINE = re.compile(r"\n\s*\n|\u2029")
_INITIALS = re.compile(r"[A-Z]|(?:[A-Z]\.)+[A-Z]")

_BEFORE_NAMES = re.compile(
    r"approx|bros|bzw|ca|capt|cf|cmdr|d\.h|dr|e\.g|eds|fr|gen|gov|hon|hr|i\.e|ie|lt|messrs|mr|mrs|ms|mt|prof|"
    r"rep|rev|sen|sgt|sra|sr|st|str|viz|vs|z\.b",
    re.IGNORECASE,
)
_BEFORE_NUMBERS = re.compile(
    r"apr|art|aug|ch|dec|eqs?|feb|figs?|jan|jul|jun|mar|nos?|nov|nr|oct|par|pp?|sec|sept?|tab|vols?",
    re.IGNORECASE,
)


def normalise(text: str) -> str:
    """The text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """All sentences in order, white space normalised; none is empty.

    Joined with single spaces they give ``normalise(text)`` back, but for full-width stops, where the text
    may have no space between two sentences.
    """
    return [sentence for part in _BLANK_LINE.split(text) for sentence in _split(normalise(part))]


def quotable(text: str) -> list[str]:
    """The different sentences that are fit to be quoted, in order.

    What has no stop at its end (headings, lists, an instruction with a colon) is left out where the text
    has at least two sentences that do; so is what holds control characters. Of sentences that are the
    same, the first counts.
    """
    clean = [s for s in dict.fromkeys(sentences(text)) if not _has_control_characters(s)]
    ended = [s for s in clean if _ENDED.search(s)]
    return ended if len(ended) >= 2 else clean


def _split(paragraph: str) -> list[str]:
    starts, ends = [0], []
    for match in _STOP.finditer(paragraph):
        if _ends_sentence(match, paragraph[starts[-1] : match.start()]):
            gap = "gap" if match["stop"] else "gapless"
            ends.append(match.start(gap))
            starts.append(match.end(gap))
    ends.append(len(paragraph))
    return [paragraph[start:end] for start, end in zip(starts, ends, strict=True) if start < end]


def _ends_sentence(match: re.Match[str], before: str) -> bool:
    """Whether a stop ends its sentence; ``before`` is the sentence up to the stop."""
    if not match["stop"]:
        return True
    if match["next"] and match["next"].islower():
        return False
    return match["stop"] != "." or not _is_abbreviated(before, following=match["next"] or "")


def _is_abbreviated(before: str, following: str) -> bool:
    head, _, word = before.rpartition(" ")
    word = re.sub(rf"^{_OPENERS}+", "", word)
    if word.isdigit():
        return not head
    if following.isdigit() and _BEFORE_NUMBERS.fullmatch(word):
        return True
    return bool(_BEFORE_NAMES.fullmatch(word) or _INITIALS.fullmatch(word))


def _has_control_characters(sentence: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in sentence)
