"""Product sync specification, "data_version": one pinned form, the same on every machine."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from unicodedata import normalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.codec import decode, encode_text
from etl.products.normalise import RawProduct, RowRejected, normalise
from etl.products.versioning import FIELDS, canonical_bytes, data_version, exact_text

GOLDEN = json.loads((Path(__file__).parent / "golden" / "versions.json").read_text("utf-8"))


def product(**cells):
    row = dict.fromkeys(RawProduct._fields) | {"brand": "YC01", "sku": "A100", "price": "199", "row_bytes": 1}
    return normalise(RawProduct(**row | {"src_updated_at": datetime(2026, 11, 1, tzinfo=UTC)} | cells))


def version(**cells):
    return product(**cells).data_version


def as_raw(result):
    """The normalised form as a source row."""
    return {
        "brand": result.brand_code,
        "sku": result.sku,
        "attrs": result.attributes,
        **{field: getattr(result, field) for field in FIELDS if field not in ("brand_code", "sku", "attributes")},
    }


# --- Golden rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", GOLDEN, ids=[golden["title"] for golden in GOLDEN])
def test_a_golden_row_has_its_committed_bytes_and_version(golden):
    result = product(**golden["raw"])
    assert canonical_bytes(result).decode() == golden["canonical"]
    assert result.data_version == data_version(result) == golden["version"]


@pytest.mark.parametrize("golden", GOLDEN, ids=[golden["title"] for golden in GOLDEN])
def test_a_golden_version_is_the_hash_of_its_bytes(golden):
    assert golden["version"] == "v1:" + sha256(golden["canonical"].encode()).hexdigest()
    assert [field for field, _ in json.loads(golden["canonical"])] == list(FIELDS)


# --- What is the same, and what is not -----------------------------------------------------------


@pytest.mark.parametrize("price", ["199", "199.0", "199.00", " 1.99e2", 199, 199.0, Decimal("199.000"), "198.995"])
def test_one_price_has_one_version(price):
    assert version(price=price) == version(price="199.00")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": 1}', '{"a": 1.00}'),
        ('{"a": 1}', '{"a": 1e0}'),
        ('{"a": 0}', '{"a": -0.0}'),
        ('{"a": 0}', '{"a": 0e7}'),
        ('{"a": 0.0000001}', '{"a": 1e-7}'),
        ('{"a": [{"b": 100}]}', '{"a": [{"b": 1e2}]}'),
        ('{"a": 1.5}', {"a": 1.5}),
        ('{"a": 1.5}', {"a": Decimal("1.500")}),
        ("{}", None),
        ('{"a": "无"}', "null"),
    ],
)
def test_equal_attributes_have_one_version(one, other):
    assert version(attrs=one) == version(attrs=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 0}', '{"a": false}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": [1]}', '{"a": [1, 1]}'),
        ('{"a": {}}', '{"a": []}'),
        ('{"a": {"b": null}}', '{"a": {}}'),
        ('{"a": "x"}', '{"a": "x||"}'),
        ('{"a": 0.1}', '{"a": 0.10000000000000000001}'),
    ],
)
def test_different_attributes_have_different_versions(one, other):
    assert version(attrs=one) != version(attrs=other)


@pytest.mark.parametrize(
    "change",
    [
        {"brand": "YC02"},
        {"sku": "A101"},
        {"name": "x"},
        {"price": "199.01"},
        {"on_sale": "Y"},
        {"colors": "red"},
        {"tags": '["new"]'},
        {"attrs": '{"a": 1}'},
        {"description": "x"},
        {"image_url": "x"},
    ],
)
def test_every_business_field_counts(change):
    assert version(**change) != version()


def test_where_the_row_came_from_does_not_count():
    assert version(src_id=7, row_bytes=9, src_updated_at=datetime(2020, 1, 1, tzinfo=UTC)) == version()


def test_hashing_leaves_the_stored_digits_alone():
    result = product(attrs='{"a": 1.10}')
    assert result.attributes_json == b'{"a":1.10}'
    assert b'{"a":1.1}' in canonical_bytes(result)


def test_a_stored_product_has_the_version_of_its_row():
    result = product(attrs='{"a": 1.10, "b": [1.5, 36.0]}', colors="b||a", on_sale="Y")
    stored = SimpleNamespace(**{field: getattr(result, field) for field in FIELDS} | {"price": Decimal("199.00")})
    stored.attributes = {"b": [1.5, 36.0], "a": Decimal("1.10")}
    assert data_version(stored) == result.data_version


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1", "1"),
        ("1.00", "1"),
        ("-0.0", "0"),
        ("0E+5", "0"),
        ("1E+2", "100"),
        ("100", "100"),
        ("1E-7", "0.0000001"),
        ("-1.50", "-1.5"),
        ("1234567890123456789012345678901234567890.1230", "1234567890123456789012345678901234567890.123"),
    ],
)
def test_a_number_is_written_exactly(number, text):
    assert exact_text(Decimal(number)) == text


# --- Properties ----------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.decimals(-1000, 1000, allow_nan=False, places=3)
scalars = st.none() | st.booleans() | numbers | words


def objects(inner):
    return st.dictionaries(words, inner, max_size=4)


trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | objects(inner), max_leaves=8)


def accepted(**cells):
    try:
        return product(**cells)
    except RowRejected:  # two keys that become one
        assume(False)


def shuffled(tree, random):
    if isinstance(tree, list):
        return [shuffled(item, random) for item in tree]
    if isinstance(tree, dict):
        keys = random.sample(list(tree), len(tree))
        return {key: shuffled(tree[key], random) for key in keys}
    return tree


def respelled(tree):
    """Every number with more zeros than it needs, every text decomposed and with space around it."""
    if isinstance(tree, dict):
        return {f" {normalize('NFD', key)}\n": respelled(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [respelled(item) for item in tree]
    if isinstance(tree, str):
        return f"\u3000{normalize('NFD', tree)} "
    return (
        tree if tree is None or isinstance(tree, bool) else Decimal(f"{tree}.000" if type(tree) is int else f"{tree}0")
    )


def by_the_book(result):
    """The canonical form written a second time, slowly and with nothing but str and json."""

    def written(value):
        if isinstance(value, dict):
            return "{" + ",".join(f"{written(key)}:{written(value[key])}" for key in sorted(value)) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(written, value)) + "]"
        if isinstance(value, Decimal):
            plain = f"{value:f}"
            plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
            return "0" if plain == "-0" else plain
        return json.dumps(value, ensure_ascii=False)

    return written([[field, getattr(result, field)] for field in FIELDS])


@given(attrs=objects(trees), random=st.randoms(use_true_random=False))
def test_key_order_never_changes_the_version(attrs, random):
    one = accepted(attrs=encode_text(attrs))
    other = accepted(attrs=encode_text(shuffled(attrs, random)))
    assert one.data_version == other.data_version


@given(attrs=objects(trees))
def test_spelling_never_changes_the_version(attrs):
    one = accepted(attrs=attrs)
    assert accepted(attrs=encode_text(respelled(attrs))).data_version == one.data_version


@given(tags=st.lists(words, max_size=5), random=st.randoms(use_true_random=False))
def test_order_and_repeats_of_tags_never_change_the_version(tags, random):
    again = random.sample(tags * 2, len(tags) * 2)
    assert version(tags=encode_text(again)) == version(tags=encode_text(tags))


@given(colors=st.lists(words, max_size=5), random=st.randoms(use_true_random=False))
def test_order_of_colours_never_changes_the_version(colors, random):
    again = random.sample(colors * 2, len(colors) * 2)
    assert version(colors=again) == version(colors=colors)


@given(one=words, other=words)
def test_two_descriptions_have_two_versions(one, other):
    same = normalize("NFC", one).strip() == normalize("NFC", other).strip()
    assert (version(description=one) == version(description=other)) is same


@given(one=st.integers(0, 10**12 - 1), other=st.integers(0, 10**12 - 1))
def test_two_prices_have_two_versions(one, other):
    cents = Decimal("0.01")
    assert (version(price=one * cents) == version(price=str(other * cents))) is (one == other)


@given(name=words, colors=words, description=words, tags=st.lists(words, max_size=4), attrs=objects(trees))
def test_the_normalised_form_of_a_product_is_the_product(name, colors, description, tags, attrs):
    once = accepted(name=name, colors=colors, description=description, tags=tags, attrs=attrs)
    assert product(**as_raw(once)) == once


@given(attrs=objects(trees), tags=st.lists(words, max_size=4))
def test_stored_json_reads_back_as_it_was(attrs, tags):
    result = accepted(attrs=attrs, tags=tags)
    assert decode(result.tags_json) == result.tags
    assert data_version(result) == result.data_version


@given(name=words, description=words, colors=words, attrs=objects(trees))
def test_the_bytes_are_those_a_plain_writer_would_write(name, description, colors, attrs):
    result = accepted(name=name, description=description, colors=colors, attrs=attrs)
    assert canonical_bytes(result).decode() == by_the_book(result)
    assert data_version(result) == result.data_version
