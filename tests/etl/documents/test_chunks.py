"""Long texts in parts, and the JSON of the parts as one."""

from hypothesis import given
from hypothesis import strategies as st

from etl.documents.shaping.chunks import divided, merged, without_required

texts = st.text(alphabet="#ab 。\n", max_size=300)


@given(texts, st.integers(1, 40))
def test_no_part_is_longer_than_allowed_and_nothing_is_lost(text, longest):
    parts = divided(text, longest=longest)
    assert all(0 < len(part) <= longest for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_short_text_is_one_part():
    assert divided("# a\n\nb", longest=100) == ["# a\n\nb"]


def test_it_is_cut_before_headings():
    assert divided("# a\n\n" + "x" * 20 + "\n\n# b\n\n" + "y" * 20, longest=30) == [
        "# a\n\n" + "x" * 20,
        "# b\n\n" + "y" * 20,
    ]


def test_lists_are_joined_objects_merged_and_of_others_the_first_word_counts():
    parts = [
        {"title": "A", "rows": [1], "by": {"name": ""}},
        {"title": "B", "rows": [2], "by": {"name": "C", "x": None}},
    ]
    assert merged(parts) == {"title": "A", "rows": [1, 2], "by": {"name": "C", "x": None}}


def test_a_part_need_not_have_everything():
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"required": {"type": "array", "minItems": 1}, "a": {"enum": ["required"]}},
    }
    assert without_required(schema) == {
        "type": "object",
        "properties": {"required": {"type": "array"}, "a": {"enum": ["required"]}},
    }
