"""Two values beside each other, line by line, as the screens show a change. Pure: no database."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from desk.badges import readable


@dataclass(frozen=True)
class Line:
    """A line of one side; `mark` is same, gone or new."""

    text: str
    mark: str = "same"


@dataclass(frozen=True)
class FieldDiff:
    """One field before and after."""

    field: str
    old: list[Line]
    new: list[Line]


def field_diffs(changed_fields: dict[str, Any]) -> list[FieldDiff]:
    """`{field: [old, new]}` as the change log holds it, in the order it holds it."""
    return [FieldDiff(field, *compare(*pair)) for field, pair in changed_fields.items()]


def compare(old: Any, new: Any) -> tuple[list[Line], list[Line]]:
    """Both sides as lines; those the other side lacks are marked."""
    before, after = readable(old).splitlines(), readable(new).splitlines()
    left: list[Line] = []
    right: list[Line] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        same = tag == "equal"
        left += [Line(text, "same" if same else "gone") for text in before[from_old:to_old]]
        right += [Line(text, "same" if same else "new") for text in after[from_new:to_new]]
    return left, right
