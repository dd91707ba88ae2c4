"""What differs between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from exports.diffs import lines_between

TEXTS = st.lists(
    st.sampled_from(["a", "b", "新闻一", "新闻二", "", "a long line of words", "a long line of words!"])
).map("\n".join)


def texts(lines, *marks):
    return ["".join(part for part, _changed in line.parts) for line in lines if line.mark in marks]


def test_equal_texts_have_no_difference():
    assert lines_between("a\nb", "a\nb") == []


def test_a_changed_line_shows_what_changed_inside_it():
    gone, new = lines_between("市教委公布春季校历", "市教委公布秋季校历")
    assert gone.parts == [("市教委公布", False), ("春", True), ("季校历", False)]
    assert new.parts == [("市教委公布", False), ("秋", True), ("季校历", False)]


def test_lines_far_from_a_change_are_counted_and_not_shown():
    old = "\n".join(map(str, range(50)))
    lines = lines_between(old, old.replace("25", "twenty-five"))
    assert [line.skipped for line in lines if line.mark == "skipped"] == [22, 21]
    assert texts(lines, "same") == ["22", "23", "24", "26", "27", "28"]


def test_very_long_texts_are_only_said_to_differ():
    assert [line.mark for line in lines_between("a\n" * 6000, "b\n" * 6000)] == ["skipped"]


@given(TEXTS, TEXTS)
def test_nothing_of_either_text_is_invented_or_lost_around_a_change(old, new):
    lines = lines_between(old, new)
    if old == new:
        return
    shown_old, shown_new = texts(lines, "same", "gone"), texts(lines, "same", "new")
    hidden = sum(line.skipped for line in lines)
    assert len(shown_old) + hidden == len(old.splitlines())
    assert len(shown_new) + hidden == len(new.splitlines())
