"""Say in plain words what is wrong in a YAML text, and repair it so that the rest can be checked as well.

libyaml stops at the first error, and names the place where it noticed. The place to change is often earlier:
where a quote was opened, or on the line above. A repaired text has the same lines, and is only checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.jobfile.syntax.yaml_keys import no_colon, other_indent, second_colon, tab
from batch.jobfile.syntax.yaml_problem import Found, YamlError
from batch.jobfile.syntax.yaml_quotes import bare_text, escape, open_bracket, open_quote, text_after_quotes
from batch.line_breaks import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import yaml


def explained(text: str, error: yaml.YAMLError) -> YamlError:
    """Return the error of a text in plain words."""
    lines = lines_of(text)
    mark, start = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem, context = getattr(error, "problem", None) or "not YAML", getattr(error, "context", None) or ""
    at = (mark.line, mark.column) if mark else (0, 0)
    lines += [""] * (at[0] + 1 - len(lines))  # the end of the text may count as a line
    found = Found(text, lines, problem, at, context, (start.line, start.column) if start else None)
    for explain in _EXPLANATIONS:
        if (result := explain(found)) is not None:
            return result
    return _unknown(found)


def _unknown(found: Found) -> YamlError:
    what = f"not YAML: {found.problem}"
    if found.context and found.start:
        what += f" ({found.context} that starts on line {found.start[0] + 1})"
    return YamlError(found.at[0] + 1, found.at[1] + 1, what, "", None)


_EXPLANATIONS: tuple[Callable[[Found], YamlError | None], ...] = (
    tab,
    open_quote,
    escape,
    bare_text,
    open_bracket,
    text_after_quotes,
    second_colon,
    no_colon,
    other_indent,
)
"""The first one that fits explains an error."""
