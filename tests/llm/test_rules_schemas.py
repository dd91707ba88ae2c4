"""A document fitted to a schema by names, and nothing guessed."""

from decimal import Decimal

from llm.rules.markdown import structure
from llm.rules.schemas import fit

CATALOGUE = """# 产品手册

供应商：北京百联
Valid-Until: 2026-12-31
In Stock: yes
Pieces: 1,200

## 价格
| 名称 | 单价 | 数量 |
|---|---|---|
| 杯子 | 1,200.50 | 3 |
| 盘子 | 2 | unknown |

## 价格（续）
| 名称 | 单价 | 数量 |
|---|---|---|
| 碗 | 1.10 | 4 |

## Tags
- red
- blue

## Contact
Phone：028-1234

## Notes
Handle with care.
"""
ITEM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "名称"},
        "price": {"type": "number", "title": "单价"},
        "count": {"type": ["integer", "null"], "title": "数量"},
    },
}


def fitted(**properties):
    found = fit(structure(CATALOGUE), {"type": "object", "properties": properties})
    return found.data, found.unresolved


def test_lines_are_taken_by_name_whatever_its_spelling():
    assert fitted(valid_until={"type": "string"}, supplier={"type": "string", "title": "供应商"}) == (
        {"valid_until": "2026-12-31", "supplier": "北京百联"},
        [],
    )


def test_values_read_as_their_type_or_are_not_taken():
    assert fitted(
        pieces={"type": "integer"}, in_stock={"type": "boolean"}, valid_until={"type": "number"}
    ) == ({"pieces": 1200, "in_stock": True}, ["/valid_until"])  # fmt: skip


def test_a_table_becomes_records_over_all_its_parts():
    data, unresolved = fitted(items={"type": "array", "items": ITEM})
    assert data["items"] == [
        {"name": "杯子", "price": Decimal("1200.50"), "count": 3},
        {"name": "盘子", "price": 2, "count": None},
        {"name": "碗", "price": Decimal("1.10"), "count": 4},
    ]
    assert unresolved == []


def test_a_cell_that_is_no_number_is_left_out_where_null_is_not_allowed():
    strict = {
        "type": "object",
        "properties": {"name": {"title": "名称"}, "count": {"type": "integer", "title": "数量"}},
    }
    data, _unresolved = fitted(items={"type": "array", "items": strict})
    assert data["items"][1] == {"name": "盘子"}


def test_sections_become_objects_texts_and_lists():
    assert fitted(
        contact={"type": "object", "properties": {"phone": {"type": "string"}, "fax": {"type": "string"}}},
        notes={"type": "string"},
        tags={"type": "array", "items": {"type": "string"}},
        title={"type": "string"},
    ) == (
        {"contact": {"phone": "028-1234"}, "notes": "Handle with care.", "tags": ["red", "blue"], "title": "产品手册"},
        ["/contact/fax"],
    )


def test_what_is_not_there_is_listed_and_null_only_where_the_schema_allows_it():
    assert fitted(**{"a/b": {"type": "string"}, "c": {"type": ["string", "null"]}}) == ({"c": None}, ["/a~1b", "/c"])


def test_without_properties_it_is_the_structure_itself():
    found = fit(structure("a: 1"), {"type": "object"})
    assert (found.data["fields"], found.unresolved) == ({"a": "1"}, [])


def test_a_schema_that_makes_no_sense_finds_nothing_and_breaks_nothing():
    assert fitted(x=True, y={"type": "array", "items": [1]}, z={"type": []}) == ({}, ["/x", "/y", "/z"])
