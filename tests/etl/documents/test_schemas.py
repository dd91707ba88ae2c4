"""Which schemas a rule may have, and what fits them."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from api.codec import decode
from etl.documents.shaping.schemas import RuleShape, check_schema

PRICE = {
    "type": "object",
    "properties": {"price": {"type": "number", "multipleOf": Decimal("0.01")}},
    "required": ["price"],
}


def test_a_good_schema_is_taken():
    check_schema(PRICE)


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "object",
        {},
        {"type": "array"},
        {"type": ["object"]},
        {"type": "object", "properties": 1},
        {"type": "object", "required": "a"},
        {"type": "object", "properties": {"a": {"type": "text"}}},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"type": "object", "$ref": "file:///etc/passwd"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}, "allOf": [{"$ref": "#/$defs/none"}]},
        {"type": "object", "description": "x" * 200_000},
    ],
)
def test_what_is_no_schema_of_an_object_is_refused(schema):
    with pytest.raises(ValidationError) as refusal:
        check_schema(schema)
    assert list(refusal.value.message_dict) == ["json_schema"]


def test_endless_nesting_is_refused():
    schema = {"type": "object"}
    for _level in range(5_000):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(ValidationError):
        check_schema(schema)


def test_a_schema_that_refers_to_itself_without_end_is_refused():
    with pytest.raises(ValidationError):
        check_schema({"type": "object", "$ref": "#"})


def test_a_tree_may_refer_to_itself():
    check_schema({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}})


@pytest.mark.parametrize("number", ["1.10", "3", "1e2"])
def test_exact_numbers_are_numbers(number):
    value = decode(f'{{"price": {number}}}')
    assert RuleShape(PRICE).read(value) is value


def test_a_whole_decimal_is_an_integer_and_a_boolean_is_no_number():
    shape = RuleShape({"type": "object", "properties": {"n": {"type": "integer"}}})
    shape.read({"n": Decimal("2.0")})
    for wrong in (Decimal("2.5"), True, "2"):
        with pytest.raises(ValueError, match="/n: "):
            shape.read({"n": wrong})


def test_what_does_not_fit_is_said_with_its_place():
    with pytest.raises(ValueError, match="price"):
        RuleShape(PRICE).read({})
    with pytest.raises(ValueError, match="/price: "):
        RuleShape(PRICE).read({"price": "cheap"})
