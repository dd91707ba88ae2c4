"""Product sync specification, "Rules: Normalise" and "Limits": every rule and every reason to reject."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.codec import decode
from etl.products.choices import RejectReason
from etl.products.normalise import MAX_ROW_BYTES, RawProduct, RowRejected, normalise

ROW = RawProduct(
    src_id=1,
    brand="YC01",
    sku="A100",
    name="Oxford",
    price="199",
    colors="red||black",
    tags='["new"]',
    attrs='{"size": "42"}',
    description="A shoe.",
    image_url="https://img.example.com/a.jpg",
    on_sale="Y",
    src_updated_at=datetime(2026, 11, 1, tzinfo=UTC),
    row_bytes=500,
)


def product(**cells):
    return normalise(ROW._replace(**cells))


def rejection(**cells) -> RowRejected:
    with pytest.raises(RowRejected) as caught:
        product(**cells)
    return caught.value


def attributes(text):
    return product(attrs=text).attributes


# --- Text and key --------------------------------------------------------------------------------


def test_it_trims_and_composes_every_text():
    spaced = "\u3000 Cafe\u0301\xa0\n"
    result = product(brand=spaced, sku=spaced, name=spaced, description=spaced, image_url=spaced)
    assert result[:3] == ("Café", "Café", "Café")
    assert (result.description, result.image_url) == ("Café", "Café")


def test_it_keeps_case_width_and_inner_space():
    assert product(name="ＡＢ  c\nD").name == "ＡＢ  c\nD"


def test_a_missing_name_is_empty_and_other_missing_text_is_null():
    result = product(name=None, description=" ", image_url="")
    assert (result.name, result.description, result.image_url) == ("", None, None)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1001, "1001"),
        (Decimal("1001"), "1001"),
        (Decimal("10.50"), "10.50"),
        (1001.0, "1001"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_a_number_in_a_text_column_becomes_its_digits(number, text):
    assert product(sku=number).sku == text


@pytest.mark.parametrize("field", ["brand", "sku"])
@pytest.mark.parametrize("cell", [None, "", " \t\u3000"])
def test_a_row_without_its_key_is_rejected(field, cell):
    error = rejection(**{field: cell})
    assert error.slug == RejectReason.MISSING_KEY
    assert error.field == {"brand": "brand_code", "sku": "sku"}[field]


@pytest.mark.parametrize(("field", "length"), [("brand", 64), ("sku", 64), ("name", 255), ("image_url", 512)])
def test_a_text_may_be_as_long_as_its_column_and_no_longer(field, length):
    product(**{field: "宽" * length})
    product(**{field: " " + "e\u0301" * length})
    assert rejection(**{field: "宽" * (length + 1)}).slug == RejectReason.TOO_LONG


@pytest.mark.parametrize("field", ["brand", "name", "description", "image_url", "colors"])
@pytest.mark.parametrize("cell", [True, ["a", 1], {"a": 1}, b"abc", object()])
def test_what_is_not_text_has_the_wrong_shape(field, cell):
    assert rejection(**{field: cell}).slug == RejectReason.WRONG_SHAPE


def test_a_number_that_would_fill_the_memory_is_out_of_range():
    assert rejection(description=Decimal("1E+999999")).slug == RejectReason.NUMBER_OUT_OF_RANGE
    assert rejection(name=float("nan")).slug == RejectReason.NUMBER_OUT_OF_RANGE


def test_a_run_of_combining_marks_is_refused_before_it_costs_minutes():
    marks = "a" + "\u0301\u0316" * 200_000
    error = rejection(description=marks)
    assert (error.slug, error.field) == (RejectReason.TOO_MANY_MARKS, "description")
    assert rejection(attrs={"a": {"b": marks}}).field == "attributes"


def test_long_text_in_decomposed_form_is_no_run_of_marks():
    assert product(description="e\u0301" * 5000).description == "é" * 5000


# --- Price ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("199", "199.00"),
        ("199.0", "199.00"),
        (" 199.00 ", "199.00"),
        ("+199.", "199.00"),
        ("00199", "199.00"),
        (".5", "0.50"),
        ("1.99e2", "199.00"),
        ("-0.00", "0.00"),
        ("0e999999", "0.00"),
        ("1e-999999", "0.00"),
        ("0.005", "0.01"),
        ("2.675", "2.68"),
        ("0.0049999999999999999999999999999999999", "0.00"),
        ("9999999999.994", "9999999999.99"),
        (Decimal("199.00"), "199.00"),
        (199, "199.00"),
        (199.0, "199.00"),
        (0.1 + 0.2, "0.30"),
        (1.005, "1.01"),
    ],
)
def test_a_price_has_two_decimals_rounded_half_up(cell, price):
    assert product(price=cell).price == price


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, RejectReason.PRICE_MISSING),
        ("  ", RejectReason.PRICE_MISSING),
        ("面议", RejectReason.PRICE_NOT_A_NUMBER),
        ("¥199", RejectReason.PRICE_NOT_A_NUMBER),
        ("1,299", RejectReason.PRICE_NOT_A_NUMBER),
        ("１９９", RejectReason.PRICE_NOT_A_NUMBER),
        ("1_000", RejectReason.PRICE_NOT_A_NUMBER),
        ("0x10", RejectReason.PRICE_NOT_A_NUMBER),
        ("1e", RejectReason.PRICE_NOT_A_NUMBER),
        pytest.param("1" * 100_000 + "x", RejectReason.PRICE_NOT_A_NUMBER, id="long text"),
        (True, RejectReason.PRICE_NOT_A_NUMBER),
        ([1], RejectReason.PRICE_NOT_A_NUMBER),
        ("NaN", RejectReason.PRICE_NOT_FINITE),
        ("-Infinity", RejectReason.PRICE_NOT_FINITE),
        (float("inf"), RejectReason.PRICE_NOT_FINITE),
        (Decimal("sNaN"), RejectReason.PRICE_NOT_FINITE),
        ("-0.001", RejectReason.PRICE_NEGATIVE),
        ("-1e999999", RejectReason.PRICE_NEGATIVE),
        (-1, RejectReason.PRICE_NEGATIVE),
        ("9999999999.995", RejectReason.PRICE_TOO_LARGE),
        ("10000000000", RejectReason.PRICE_TOO_LARGE),
        ("1e999999", RejectReason.PRICE_TOO_LARGE),
        ("1e99999999999999999999", RejectReason.PRICE_TOO_LARGE),
        pytest.param(10**5000, RejectReason.PRICE_TOO_LARGE, id="5001 digits"),
    ],
)
def test_a_price_that_is_none_is_rejected_for_its_own_reason(cell, reason):
    error = rejection(price=cell)
    assert (error.slug, error.field) == (reason, "price")


# --- Flag ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["true", "TRUE", "1", "Y", "y", " 是 ", True, 1, 1.0, Decimal("1.00"), b"\x01"])
def test_these_mean_on_sale(cell):
    assert product(on_sale=cell).on_sale is True


@pytest.mark.parametrize("cell", ["false", "False", "0", "N", "n", "否", "", "  ", None, False, 0, Decimal(0), b"\x00"])
def test_these_mean_not_on_sale(cell):
    assert product(on_sale=cell).on_sale is False


@pytest.mark.parametrize("cell", ["yes", "2", "在售", 2, [True], Decimal("NaN"), Decimal("sNaN"), {}])
def test_any_other_flag_is_rejected(cell):
    error = rejection(on_sale=cell)
    assert (error.slug, error.field) == (RejectReason.BAD_FLAG, "on_sale")


# --- Colours and tags ----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [" red || black||red|| ", ["red", "black"], ["red||black"], ["black", " red ", ""]])
def test_colours_are_a_sorted_unique_list(cell):
    result = product(colors=cell)
    assert result.colors == ["black", "red"]
    assert result.colors_json == b'["black","red"]'


@pytest.mark.parametrize("cell", [None, "", " || ", []])
def test_no_colour_is_an_empty_list(cell):
    assert product(colors=cell).colors == []


def test_a_colour_that_ends_in_a_bar_stays_whole_in_a_list():
    assert product(colors=["a|", "b"]).colors == product(colors=["b", "a|"]).colors == ["a|", "b"]


def test_empty_markers_are_ordinary_words_outside_attributes():
    result = product(colors="无||--", tags='["空"]')
    assert (result.colors, result.tags) == (["--", "无"], ["空"])


@pytest.mark.parametrize(
    "cell",
    ['["b", " a ", "b"]', ["a", "b"], '"[\\"b\\", \\"a\\"]"', '["b", null, "", "a"]'],
)
def test_tags_are_a_sorted_unique_list(cell):
    result = product(tags=cell)
    assert result.tags == ["a", "b"]
    assert result.tags_json == b'["a","b"]'


@pytest.mark.parametrize("cell", [None, "null", "", "  ", "[]", [], '"null"', '""'])
def test_no_tags_are_an_empty_list(cell):
    assert product(tags=cell).tags == []


def test_tags_may_be_numbers():
    assert product(tags="[2024, 1.50]").tags == ["1.5", "2024"]
    assert product(tags=[2024, Decimal("1.5"), 1.5]).tags == ["1.5", "2024"]


def test_tags_that_become_equal_by_composition_are_one():
    assert product(tags='["e\\u0301", "é"]').tags == ["é"]


@pytest.mark.parametrize("cell", ['{"a": 1}', '"[[1]]"', "[true]", '[["a"]]', "7", 7, "true", '"\\"[]\\""'])
def test_tags_of_another_shape_are_rejected(cell):
    error = rejection(tags=cell)
    assert (error.slug, error.field) == (RejectReason.WRONG_SHAPE, "tags")


# --- Attributes ----------------------------------------------------------------------------------


def test_empty_markers_and_nulls_are_dropped_from_the_attributes_themselves():
    assert attributes('{"a": "", "b": " 无 ", "c": "不适用", "d": "空", "e": "--", "f": null, "g": "x"}') == {"g": "x"}


def test_empty_markers_and_nulls_inside_nested_values_stay():
    nested = {"a": {"b": "无", "c": None, "d": ""}, "e": [None, "--"]}
    assert product(attrs=nested).attributes == nested


def test_a_separator_splits_an_attribute_into_a_sorted_unique_list():
    assert attributes('{"a": " b || a||b|| 无 ", "b": "x||", "c": "||", "d": "无||--"}') == {
        "a": ["a", "b"],
        "b": ["x"],
    }


def test_a_separator_inside_nested_values_stays():
    assert attributes('{"a": ["y||x"], "b": {"c": "y||x"}}') == {"a": ["y||x"], "b": {"c": "y||x"}}


def test_other_lists_keep_their_order_and_repeats():
    assert attributes('{"a": ["b", "a", "b", [2, 1]]}') == {"a": ["b", "a", "b", [2, 1]]}


def test_numbers_keep_type_and_digits():
    text = '{"a":1,"b":1.10,"c":-0.5,"d":true,"e":[2.50,{"f":3}],"g":9007199254740992}'
    result = product(attrs=text)
    assert result.attributes_json.decode() == text
    assert type(result.attributes["a"]) is int
    assert str(result.attributes["b"]) == "1.10"


def test_text_inside_attributes_is_trimmed_and_composed_with_its_keys():
    assert attributes('{" De\u0301 ": {" E\\u0301 ": [" u\u0308 "], "k": " v "}}') == {"Dé": {"É": ["ü"], "k": "v"}}


@pytest.mark.parametrize("marker", ["\uf967适用", " \uf967适用"])
def test_a_marker_is_known_by_its_composed_form(marker):
    assert product(attrs={"a": marker, "b": 1}).attributes == {"b": 1}


@pytest.mark.parametrize("cell", [None, "", "  ", "null", "{}", {}, '"{}"'])
def test_no_attributes_are_an_empty_object(cell):
    assert product(attrs=cell).attributes == {}


def test_json_text_in_a_json_string_is_read_once_more():
    assert attributes('"{\\"a\\": 1}"') == {"a": 1}
    assert rejection(attrs='"\\"{}\\""').slug == RejectReason.WRONG_SHAPE


def test_native_values_are_stored_as_their_json_would_be():
    result = product(attrs={"a": 1.5, "b": Decimal("1.10"), "c": True, "d": [36.0]})
    assert result.attributes_json == b'{"a":1.5,"b":1.10,"c":true,"d":[36.0]}'


def test_the_values_of_the_source_are_left_as_they_are():
    attrs = {"a": {" b ": " c "}}
    product(attrs=attrs)
    assert attrs == {"a": {" b ": " c "}}


@pytest.mark.parametrize("cell", ["[1]", "7", '"text"', [1], 7, {1: "a"}, {"a": b"x"}, {"a": (1,)}, b"{}", object()])
def test_attributes_of_another_shape_are_rejected(cell):
    error = rejection(attrs=cell)
    assert error.slug in (RejectReason.WRONG_SHAPE, RejectReason.INVALID_JSON)
    assert error.field == "attributes"


@pytest.mark.parametrize(
    "text",
    [
        "材质=牛皮",
        "{",
        "{'a': 1}",
        '{"a": 1} x',
        '{"a": NaN}',
        '{"a": Infinity}',
        "\ufeff{}",
        '{"a": 01}',
        '"{"',
    ],
)
@pytest.mark.parametrize("field", ["attrs", "tags"])
def test_what_is_no_json_is_rejected(field, text):
    assert rejection(**{field: text}).slug == RejectReason.INVALID_JSON


@pytest.mark.parametrize(
    "cell",
    [
        '{"a": 1, "a ": 2}',
        '{"x": {"é": 1, "e\\u0301": 1}}',
        {"é": 1, "e\u0301": 2},
        '{"a": "无", "a ": 2}',
        {"x": [{"a": 1, " a": 1}]},
    ],
)
def test_two_keys_that_become_one_are_rejected(cell):
    assert rejection(attrs=cell).slug == RejectReason.DUPLICATE_KEY


def test_of_a_key_written_twice_the_last_counts():
    assert attributes('{"a": 1, "a": 2}') == {"a": 2}


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        "9007199254740993",
        "-9007199254740993",
        "1e20",
        "9007199254740993.0",
        "90071992547409930e-1",
        "1e999999",
        "1e-999999",
        "1e99999999999999999999",
        pytest.param("0." + "1" * 500, id="500 decimals"),
        pytest.param("9" * 5000, id="5000 digits"),
        pytest.param("9" * 4000, id="4000 digits"),
    ],
)
def test_a_number_no_reader_agrees_on_is_out_of_range(number):
    for cells in (
        {"attrs": f'{{"a": {number}}}'},
        {"attrs": f'{{"a": [{{"b": {number}}}]}}'},
        {"tags": f"[{number}]"},
    ):
        assert rejection(**cells).slug == RejectReason.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 2**53 + 1, Decimal("NaN")])
def test_a_native_number_no_reader_agrees_on_is_out_of_range(number):
    assert rejection(attrs={"a": number}).slug == RejectReason.NUMBER_OUT_OF_RANGE
    assert rejection(tags=[number]).slug == RejectReason.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "12345678901234567890.5", "5e-324"])
def test_a_long_number_that_is_exact_is_kept(number):
    assert attributes(f'{{"a": {number}}}') == {"a": Decimal(number)}


def nested(depth):
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize("read", [str, decode])
def test_json_may_be_a_hundred_levels_deep_and_no_deeper(read):
    product(attrs=read(nested(100)))
    assert rejection(attrs=read(nested(101))).slug == RejectReason.TOO_DEEP


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, nested(100_000), '{"a":' * 500 + "1" + "}" * 500])
def test_a_pit_of_brackets_is_too_deep(text):
    assert rejection(attrs=text).slug == RejectReason.TOO_DEEP


def test_a_value_that_holds_itself_is_too_deep():
    loop: dict = {}
    loop["a"] = [loop]
    assert rejection(attrs=loop).slug == RejectReason.TOO_DEEP


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"brand": "a\x00"}, "brand_code"),
        ({"name": "\x00"}, "name"),
        ({"description": "x\x00y"}, "description"),
        ({"colors": "a||b\x00"}, "colors"),
        ({"tags": '["a\\u0000"]'}, "tags"),
        ({"tags": '["a\x00"]'}, "tags"),
        ({"attrs": '{"a": {"b": ["c\\u0000"]}}'}, "attributes"),
        ({"attrs": '{"a\\u0000": 1}'}, "attributes"),
        ({"attrs": {"a": {"\x00": 1}}}, "attributes"),
    ],
)
def test_a_nul_anywhere_is_rejected_with_its_field(cells, field):
    error = rejection(**cells)
    assert (error.slug, error.field) == (RejectReason.NUL_CHARACTER, field)
    assert "\x00" not in error.detail


def test_a_backslash_before_u0000_is_text():
    assert attributes('{"a": "\\\\u0000"}') == {"a": "\\u0000"}
    assert product(name="\\u0000").name == "\\u0000"


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"sku": "a\ud83d"}, "sku"),
        ({"description": "\udc00"}, "description"),
        ({"colors": "a||\ud83d"}, "colors"),
        ({"tags": ["\ud83d"]}, "tags"),
        ({"tags": '["\\ud83d"]'}, "tags"),
        ({"attrs": '{"a": ["\\udc5f"]}'}, "attributes"),
        ({"attrs": '{"\\ud83d": 1}'}, "attributes"),
        ({"attrs": '{"a": "\\ud83d\\ud83d"}'}, "attributes"),
        ({"attrs": '{"a": "\ud83d"}'}, "attributes"),
        ({"attrs": {"a": {"\ud83d": 1}}}, "attributes"),
    ],
)
def test_half_a_surrogate_pair_is_rejected_with_its_field(cells, field):
    error = rejection(**cells)
    assert (error.slug, error.field) == (RejectReason.LONE_SURROGATE, field)
    error.detail.encode()


def test_a_whole_surrogate_pair_is_a_character():
    assert attributes('{"a": "\\ud83d\\udc5f"}') == {"a": "👟"}


def test_a_row_may_have_a_megabyte_and_no_more():
    product(row_bytes=MAX_ROW_BYTES)
    assert rejection(row_bytes=MAX_ROW_BYTES + 1, brand=None).slug == RejectReason.ROW_TOO_LARGE
    with pytest.raises(RowRejected):
        normalise(ROW, max_row_bytes=499)


def test_a_row_without_a_timestamp_is_rejected():
    error = rejection(src_updated_at=None)
    assert (error.slug, error.field) == (RejectReason.MISSING_TIMESTAMP, "src_updated_at")


def test_the_detail_names_field_and_value_and_stays_short():
    assert rejection(price="面议").detail == "price is not a number: '面议'"
    assert rejection(name="x" * 10_000).detail.startswith("name has 10000 characters, the limit is 255: 'xxx")
    assert len(rejection(name="x" * 10_000).detail) < 160


class Foreign:
    def __repr__(self):
        return "\x00\ud83d"


class Broken:
    def __repr__(self):
        raise ValueError


@pytest.mark.parametrize("value", [Foreign(), Broken()])
def test_the_detail_can_be_stored_whatever_the_value_says_of_itself(value):
    detail = rejection(name=value).detail
    assert "\x00" not in detail
    assert detail.encode()


# --- Anything at all -----------------------------------------------------------------------------

texts = st.text(st.characters(codec=None), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.integers(), inner, max_size=4),
    max_leaves=12,
)
json_like = st.text(st.sampled_from('{}[]",:\\ud83c0011.eE-+ \tabn无|'), max_size=30)


@given(cells=st.fixed_dictionaries({}, optional=dict.fromkeys(RawProduct._fields[1:11], values | json_like)))
def test_whatever_a_cell_holds_the_row_is_a_product_or_rejected(cells):
    try:
        result = product(**cells)
    except RowRejected as error:
        error.detail.encode()
        return
    assert type(result.attributes) is dict
    assert decode(result.tags_json) == result.tags
    assert decode(result.colors_json) == result.colors
