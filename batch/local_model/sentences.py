"""Split plain text into sentences, in any language that ends them with a stop.

White space is normalized first: runs of it within a paragraph become one space. A blank line always ends a
sentence, so that a heading or an instruction above a text never joins the text's first sentence.

The rules are few and prefer too long a sentence to a broken one, because the sentences are quoted word for
word:

1. A stop is one or more of ``.!?…``, with the quotes and brackets that close after it.
2. It ends a sentence if a space follows and the next letter is not lower case.
3. A single full stop does not end one after an abbreviation, an initial, or a number that opens it ("1.").
4. The full-width stops ``。！？`` always end a sentence, even without a space.
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
    """Return the text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """Return all sentences in order, white space normalized; none is empty.

    Joined with single spaces they equal ``normalise(text)``, except for full-width stops, after which the
    text may have no space.
    """
    return [sentence for part in _BLANK_LINE.split(text) for sentence in _split(normalise(part))]


def quotable(text: str) -> list[str]:
    """Return the different sentences that can be quoted, in order.

    Sentences without a stop (headings, lists, an instruction with a colon) are omitted if the text has at
    least two with one; so are those with control characters. Of equal sentences, the first counts.
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
    """Return whether a stop ends its sentence; ``before`` is the sentence up to the stop."""
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
