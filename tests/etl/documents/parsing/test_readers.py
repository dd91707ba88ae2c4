"""The pure parts of the readers: encodings, numbers, tables, pages put together."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.documents.parsing.readers.cleaning import cleaned, visible
from etl.documents.parsing.readers.pages import PageText, joined
from etl.documents.parsing.readers.tables import table
from etl.documents.parsing.readers.texts import decoded
from etl.documents.parsing.readers.values import as_read, number

CHINESE = "编号,品名,单价\nA1,智能台灯,199.00\n"
LONG_ENOUGH = {
    "big5": "這是一份繁體中文的文件，內容包含產品名稱與價格，請仔細閱讀以下說明。" * 4,
    "shift_jis": "これは日本語の文書です。製品の名前と価格が書いてあります。" * 4,
    "euc_kr": "이것은 한국어 문서입니다. 제품 이름과 가격이 적혀 있습니다. " * 4,
    "cp1251": "Это документ на русском языке, в нём названия и цены товаров. " * 4,
    "cp1250": "Zażółć gęślą jaźń, proszę o cennik lamp i żarówek. " * 4,
    "cp1252": "Voilà un résumé des coûts où l’été précède la fête à Besançon. " * 4,
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk", "gb2312", "gb18030"])
def test_a_short_chinese_text_is_read_in_every_usual_encoding(encoding):
    assert decoded(CHINESE.encode(encoding))[0] == CHINESE
    assert decoded("价".encode(encoding))[0] == "价"


@pytest.mark.parametrize("encoding", list(LONG_ENOUGH))
def test_other_encodings_are_guessed_from_a_text_that_is_long_enough(encoding):
    text = LONG_ENOUGH[encoding]
    assert decoded(text.encode(encoding))[0] == text


def test_a_rare_character_of_gb18030_and_a_declared_encoding_are_read():
    assert decoded("姓名：𠮷田，㐂\n地址：北京市海淀区".encode("gb18030"))[0].startswith("姓名：𠮷田，㐂")
    assert decoded("價".encode("big5"), declared="Big5") == ("價", "big5")
    assert decoded("caf\u00e9 \u2019".encode("cp1252"), declared="iso-8859-1")[0] == "café ’"
    assert decoded("灯具".encode(), declared="gb2312")[0] == "灯具"
    assert decoded("中文".encode("gbk"), declared="no-such")[0] == "中文"


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (1.0, "General", "1"), (1, "0.00", "1.00"), (0.1 + 0.2, "General", "0.3"), (1.1, "0.00", "1.10"),
        (3.14159, "0.00", "3.14159"), (1234.5, "#,##0.00", "1234.50"), (0.125, "0%", "12.5%"), (0.5, "0.0%", "50.0%"),
        (1.5, '"¥"#,##0.00', "1.50"), (-2.5, "#,##0.00;[Red]-#,##0.00", "-2.50"), (0.00001, "General", "0.00001"),
        (1e15, "General", "1000000000000000"), (1e300, "General", "1e+300"), (2**64, "0", "18446744073709551616"),
        (True, "General", "TRUE"), (7, "yyyy", "7"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_a_person_reads_it(value, number_format, text):
    assert as_read(SimpleNamespace(value=value, number_format=number_format)) == text


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_no_number_changes_its_value(value):
    assert float(number(value)) == pytest.approx(value, rel=1e-14)


def test_a_table_is_one_line_per_row_and_as_wide_everywhere():
    rows = [["a", "b|c", ""], ["line\nline"], ["", "", ""], ["\\|", "x", ""]]
    assert table(rows) == "| a | b\\|c |\n|---|---|\n| line<br>line |  |\n| \\\\\\| | x |"
    assert table([]) == table([["", ""]]) == ""


@given(st.lists(st.lists(st.text(max_size=8), max_size=4), max_size=5))
def test_no_text_breaks_a_table(rows):
    lines = table(rows).split("\n")
    assert len({line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines}) <= 1


@given(st.text())
def test_a_cleaned_text_fits_a_database_and_is_clean(text):
    once = cleaned(text)
    assert cleaned(once) == once
    assert "\0" not in once
    once.encode()


def test_lines_of_a_table_are_nothing_to_see():
    assert visible("| | |\n|---|---|\n```\n```") == 0
    assert visible("灯 1.") == 2


def page(markdown, plain=""):
    return PageText(markdown, plain)


def test_a_table_that_starts_a_page_goes_on_with_the_one_that_ended_the_last():
    rule = "|---|---|"
    first = page(f"| Name | Price |\n{rule}\n| a | 1 |")
    assert joined([first, page(f"| Name | Price |\n{rule}\n| b | 2 |")]).splitlines()[2:] == ["| a | 1 |", "| b | 2 |"]
    assert joined([first, page(f"| b | 2 |\n{rule}\n| c | 3 |")]).splitlines()[3:] == ["| b | 2 |", "| c | 3 |"]
    other = f"| Shop | Staff |\n{rule}\n| x | 9 |"
    assert joined([first, page(other)]).endswith("\n\n" + other)
    wider = "| b | 2 | 3 |\n|---|---|---|\n| c | 3 | 4 |"
    assert joined([first, page(wider)]).endswith("\n\n" + wider)


def test_what_only_looks_like_a_running_head_stays():
    pages = [
        page(f"Invoice {1000 + n}\n\nTo be paid: {n} of them and so on\n\nThank you\n\n- Page {n} of 4 -")
        for n in range(1, 5)
    ]
    text = joined(pages)
    assert [f"Invoice {1000 + n}" in text for n in range(1, 5)] == [True] * 4
    assert [f"To be paid: {n} of" in text for n in range(1, 5)] == [True] * 4
    assert text.count("Thank you") == 1
    assert text.count("Page") == 0
    assert not [line for line in text.splitlines() if line.isdigit()]


def test_a_heading_that_comes_on_few_pages_is_no_running_head():
    pages = [
        page(f"# {'Summary' if n in (2, 7) else f'Part {n}'}\n\nText {n}\n\nMore {n}\n\nEnd {n}") for n in range(9)
    ]
    assert joined(pages).count("# Summary") == 2


def test_facts_and_items_keep_their_lines_and_prose_does_not():
    facts = page("Name: Lamp Price: 19", "Name: Lamp\nPrice: 19")
    assert joined([facts]) == "Name: Lamp\nPrice: 19"
    items = page("1. one and more 2. two", "1. one\nand more\n2. two")
    assert joined([items]) == "1. one and more\n2. two"
    prose = page("All of it is said: at length and in lines", "All of it is said: at\nlength and in lines")
    assert joined([prose]) == "All of it is said: at length and in lines"
