"""Wishes: what cannot be stored is refused with its field, what can comes back as it was."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from roadmaps.choices import Level
from roadmaps.wishes import LONGEST_QUERY, LONGEST_TEXT, MOST_FORMATS, Wish

TEXT = st.text(max_size=60)
WISHES = st.builds(
    Wish,
    query=st.text(max_size=600),
    level=st.sampled_from(Level.values),
    hours_per_week=st.integers(1, 168),
    motivation=TEXT,
    background=TEXT,
    language=st.sampled_from(["", "zh", "en"]),
    content_preference=st.lists(TEXT, max_size=11).map(tuple),
    deadline=st.none() | st.dates(),
    context=TEXT,
)


def texts(wish):
    """Every text that is stored of a wish."""
    kept = wish.as_json()
    return [*kept["content_preference"], *(each for each in kept.values() if isinstance(each, str))]


@given(WISHES)
def test_a_checked_wish_can_be_stored_comes_back_as_it_was_and_stays_checked(wish):
    try:
        checked = wish.checked()
    except ValidationError:
        return
    assert checked.query
    assert checked.language in ("zh", "en")
    assert "\x00" not in "".join(texts(checked))
    assert Wish.from_json(checked.as_json()) == checked
    assert checked.checked() == checked


@given(st.characters(codec="utf-8"), TEXT)
def test_halves_of_pairs_and_nul_are_not_stored_anywhere(character, text):
    dirty = f"a{character}\x00\ud800{text}"
    wish = Wish(dirty, motivation=dirty, background=dirty, context=dirty, content_preference=(dirty[:40],))
    stored = "".join(texts(wish.checked()))
    assert "\x00" not in stored
    stored.encode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("query", ""),
        ("query", " \x00\n"),
        ("query", "x" * (LONGEST_QUERY + 1)),
        ("level", "wizard"),
        ("hours_per_week", 0),
        ("hours_per_week", 169),
        ("motivation", "x" * (LONGEST_TEXT + 1)),
        ("background", "x" * (LONGEST_TEXT + 1)),
        ("context", "x" * (LONGEST_TEXT + 1)),
        ("language", "de"),
        ("content_preference", ("video",) * (MOST_FORMATS + 1)),
        ("content_preference", ("x" * 51,)),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        Wish(**({"query": "Learn Redis"} | {field: value})).checked()
    assert list(refusal.value.message_dict) == [field]


@pytest.mark.parametrize(("query", "language"), [("Learn Redis", "en"), ("学 Redis", "zh"), ("Учить Redis", "en")])
def test_the_language_is_that_of_the_query_unless_named(query, language):
    assert Wish(query).checked().language == language
    assert Wish(query, language="en").checked().language == "en"


def test_a_changed_query_finds_its_language_anew_and_other_changes_keep_it():
    wish = Wish("学 Redis").checked()
    assert wish.changed({"query": "Learn Redis"}).language == "en"
    assert wish.changed({"level": "advanced"}).language == "zh"
    assert wish.changed({"query": "Learn Redis", "language": "zh"}).language == "zh"


def test_what_a_later_version_knows_of_a_wish_is_left_out():
    kept = Wish("Learn Redis", deadline=date(2027, 1, 1)).checked().as_json() | {"mood": "cheerful"}
    assert Wish.from_json(kept).deadline == date(2027, 1, 1)
