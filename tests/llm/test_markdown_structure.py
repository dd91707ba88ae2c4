"""Markdown as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.rules.markdown import structure

CONTRACT = """Preamble.

# Contract
Party A：ACME Ltd.
**Amount**: 1,200.50
- Date: 2026-03-01
- see https://a.example/x: it says more

## Items

| Item | Qty | Qty |
|---|---|---|
| Mug | 2 | 3 |
| Cup | 1 |

### Note
Deep.

## 联系人
电话：028-1234
"""


def test_headings_nest_tables_are_records_and_lines_are_fields():
    found = structure(CONTRACT)
    assert found["text"] == "Preamble."
    (contract,) = found["sections"]
    assert (contract["title"], contract["level"]) == ("Contract", 1)
    assert contract["fields"] == {"Party A": "ACME Ltd.", "Amount": "1,200.50", "Date": "2026-03-01"}
    items, people = contract["sections"]
    assert items["tables"] == [[{"Item": "Mug", "Qty": "2", "Qty 3": "3"}, {"Item": "Cup", "Qty": "1", "Qty 3": ""}]]
    assert items["sections"][0]["text"] == "Deep."
    assert people["fields"] == {"电话": "028-1234"}


def test_a_document_without_headings_is_one_section():
    assert structure("a: 1\n\nb") == {
        "title": "", "level": 0, "text": "a: 1\n\nb", "fields": {"a": "1"}, "tables": [], "sections": []
    }  # fmt: skip


def test_code_is_text_and_gives_no_fields():
    found = structure("```\nkey: value\n```\n")
    assert (found["text"], found["fields"]) == ("key: value", {})


def test_a_text_too_long_for_a_document_is_refused(monkeypatch):
    monkeypatch.setattr("llm.rules.markdown.MOST_CHARACTERS", 10)
    with pytest.raises(ValueError, match="10 characters"):
        structure("x" * 11)


@given(st.text(alphabet="#|-*>` :：ab\n\t1.\\[]()", max_size=200))
def test_no_text_breaks_it(text):
    structure(text)
