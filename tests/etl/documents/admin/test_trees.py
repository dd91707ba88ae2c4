"""JSON as a tree: every kind of value, escaped, and never endless."""

from decimal import Decimal

from etl.documents.admin.trees import MOST_LEVELS, MOST_NODES, drawn

HOSTILE = '<script>alert("1")</script>'


def test_every_kind_of_value_is_drawn_as_json_has_it():
    html = drawn({"a": [1, Decimal("1.10"), True, None, "", {}, []], "": "x"}).html
    for shown in (">1<", ">1.10<", ">true<", ">null<", ">{}<", ">[]<", "&quot;&quot;"):
        assert shown in html.replace('""', "&quot;&quot;")


def test_keys_and_values_are_escaped():
    html = drawn({HOSTILE: {HOSTILE: [HOSTILE]}}).html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_what_is_too_long_is_cut_and_says_so():
    tree = drawn({str(number): number for number in range(MOST_NODES * 2)})
    assert tree.is_cut
    assert tree.html.count("json-value") <= MOST_NODES
    assert f"{MOST_NODES + 1} more" in tree.html
    assert not drawn({"a": 1}).is_cut
    assert "…" in drawn("x" * 10_000).html


def test_what_is_too_deep_is_cut_and_says_so():
    value = {}
    for _ in range(MOST_LEVELS * 3):
        value = {"a": value}
    tree = drawn(value)
    assert tree.is_cut
    assert tree.html.count("<details") == MOST_LEVELS


def test_an_exact_fit_is_not_cut():
    assert not drawn(list(range(MOST_NODES - 1))).is_cut
    assert drawn(list(range(MOST_NODES))).is_cut
