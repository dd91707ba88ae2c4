"""JSON pointers as RFC 6901 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.documents import pointers
from etl.documents.refusals import PlaceRefused

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@pytest.mark.parametrize(
    ("pointer", "parts"),
    [
        ("", []),
        ("/", [""]),
        ("/foo/0", ["foo", "0"]),
        ("/a~1b/m~0n", ["a/b", "m~n"]),
        ("/~01", ["~1"]),
        ('/ /c%d/e^f/g|h/i\\j/k"l', [" ", "c%d", "e^f", "g|h", "i\\j", 'k"l']),
        ("//", ["", ""]),
        ("/键", ["键"]),
    ],
)
def test_a_pointer_is_read_as_the_rfc_says(pointer, parts):
    assert pointers.parse(pointer) == parts


@given(st.lists(TEXT, max_size=6))
def test_what_is_joined_is_parsed_again(parts):
    pointer = ""
    for part in parts:
        pointer = pointers.join(pointer, part)
    assert pointers.parse(pointer) == parts


@pytest.mark.parametrize(
    ("pointer", "slug"),
    [
        ("a", "pointer-without-slash"),
        ("#/a", "pointer-without-slash"),
        ("/a~", "pointer-bad-escape"),
        ("/a~2b", "pointer-bad-escape"),
        ("/~~0", "pointer-bad-escape"),
        ("/a\0", "pointer-has-nul"),
        ("/\ud800", "not-unicode"),
        ("/" + "键" * 500, "pointer-too-long"),
        ("/a" * 101, "pointer-too-long"),
    ],
)
def test_what_is_no_pointer_is_refused_by_name(pointer, slug):
    with pytest.raises(PlaceRefused) as refused:
        pointers.parse(pointer)
    assert refused.value.slug == slug


def test_what_postgresql_takes_for_a_place_in_a_list_and_the_rfc_does_not_is_found():
    parts = ["0", "10", "01", "-1", "+1", " 1", "1 ", "-", "", "a", "00", "１"]
    assert [parts[place] for place in pointers.odd_indexes(parts)] == ["01", "-1", "+1", " 1", "00"]


@pytest.mark.parametrize(
    ("key", "slug"),
    [("", "key-empty"), ("a\0", "key-has-nul"), ("x" * 256, "key-too-long"), ("\udfff", "not-unicode")],
)
def test_what_nothing_can_be_mounted_at_is_refused(key, slug):
    with pytest.raises(PlaceRefused) as refused:
        pointers.check_key(key)
    assert refused.value.slug == slug


def test_the_longest_key_at_the_longest_pointer_is_taken():
    assert pointers.check_key("𝄞" * pointers.MOST_KEY)
    assert pointers.parse("/" + "a" * (pointers.MOST_BYTES - 1))
