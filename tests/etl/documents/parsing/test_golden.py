"""A document of every kind, and the Markdown it has to become.

After a wanted change: GOLDEN=write python -m pytest tests/etl/documents/parsing/test_golden.py, and read the diff.
"""

import io
import os
from datetime import date, datetime, time
from pathlib import Path

import pytest

from etl.documents.notes import notes_in_words
from etl.documents.samples import portable, sample_files
from making_documents import one_page, pdf_of, pdf_table
from reading_documents import parse, stored

GOLDEN = Path(__file__).parent / "golden"
LAMPS = [["Product", "Colour", "Price"], ["Lamp", "white", "19.00"], ["Bulb", "yellow", "2.50"]]
NUMBERED = [["No", "Name", "Price"], *([str(n), f"Item {n}", f"{n}.50"] for n in range(1, 51))]
SPRING = ["The left column tells of the spring,", "when the river rises and the", "meadows lie under water."]
AUTUMN = ["The right column tells of autumn,", "when the harvest is brought in", "until the first snow falls."]


def over_two_pages(*, repeated_head):
    first, second = portable.Page(), portable.Page()
    first.text(60, 60, "A table over two pages", size=18, bold=True)
    first.table(60, 90, [60, 200, 100], NUMBERED[:31])
    second.table(60, 60, [60, 200, 100], NUMBERED[31:] if not repeated_head else [NUMBERED[0], *NUMBERED[31:]])
    return pdf_of(first, second)


def columns():
    page = portable.Page()
    page.text(60, 60, "Two columns", size=18, bold=True)
    for number, (left, right) in enumerate(zip(SPRING * 4, AUTUMN * 4, strict=True)):
        page.text(60, 100 + 14 * number, left)
        page.text(320, 100 + 14 * number, right)
    return pdf_of(page)


def facts():
    return pdf_of(
        one_page(
            "名称：智能台灯",
            "价格：199 元",
            "产地：苏州",
            "",
            "这盏灯随日光变化而变化，清晨冷白，",
            "傍晚暖黄，护眼不刺眼。",
        )
    )


def running_heads():
    pages = []
    for number in range(1, 6):
        page = portable.Page()
        page.text(60, 30, "House of lamps")
        page.text(
            60, 120, f"Chapter {number} tells of lamps of the kind number {number * 17}, and of how they are made."
        )
        page.text(60, 140, f"Order {number * 100}")
        page.text(280, 820, f"Page {number} of 5")
        pages.append(page)
    return pdf_of(*pages)


def word():
    from docx import Document

    document = Document()
    document.add_heading("Lamps", 0)
    document.add_heading("In general", 1)
    paragraph = document.add_paragraph("A lamp gives ")
    paragraph.add_run("light").bold = True
    paragraph.add_run(" | and warmth. 光与暖。")
    for line in ("desk", "floor"):
        document.add_paragraph(line, style="List Bullet")
    for line in ("unpack", "plug in"):
        document.add_paragraph(line, style="List Number")
    document.add_heading("Models", 2)
    table = document.add_table(rows=4, cols=3)
    for row, texts in zip(
        table.rows, (("Series", "Model", "Price"), ("LX", "20", "1|99"), ("", "35", "459"), ("AC", "", "")), strict=True
    ):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(1, 0).merge(table.cell(2, 0)).text = "LX"
    table.cell(3, 1).merge(table.cell(3, 2)).text = "two\nlines"
    return saved(document)


def workbook():
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Sales"
    sheet.append(["Sales of lamps"])
    sheet.append(["Region", "2025", None, "Total"])
    sheet.append([None, "Spring", "Autumn", None])
    sheet.append(["North", 10, 12.5, "=B4+C4"])
    sheet.append(["South", 7.0, 0.1 + 0.2, 1234567.5])
    sheet.append([])
    sheet.append(["Kind", "Value"])
    values = [
        ("day", date(2026, 2, 14), "yyyy-mm-dd"), ("moment", datetime(2026, 2, 14, 9, 30), "yyyy-mm-dd hh:mm"),  # noqa: DTZ001
        ("time", time(8, 15), "hh:mm"), ("share", 0.325, "0.0%"), ("price", 19.9, "#,##0.00"), ("yes", True, None),
        ("long", 12345678901234, "0"), ("wrong", "#DIV/0!", None), ("bar", "a|b\nc", None), ("code", "007", None),
    ]  # fmt: skip
    for number, (name, value, number_format) in enumerate(values, start=8):
        sheet.cell(number, 1).value = name
        sheet.cell(number, 2).value = value
        if number_format:
            sheet.cell(number, 2).number_format = number_format
    for merged in ("A1:D1", "A2:A3", "B2:C2", "D2:D3"):
        sheet.merge_cells(merged)
    second = book.create_sheet("说明")
    second["A1"] = "价格含税"
    third = book.create_sheet("Kept")
    third.append(["x", "y"])
    third.append([1, 2])
    third.sheet_state = "hidden"
    return saved(book)


def slides():
    from pptx import Presentation
    from pptx.util import Inches

    show = Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Lamps 灯"
    first.placeholders[1].text = "for desks\nfor floors"
    first.notes_slide.notes_text_frame.text = "Speak slowly."
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = "Prices"
    table = second.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for row, texts in enumerate((("Model", "Price", ""), ("LX-20", "199", "now"), ("LX-35", "459", "soon"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    return saved(show)


def page():
    return """<!DOCTYPE html><html><head><meta charset="gbk"><title>灯具目录</title>
<style>p { color: red }</style></head>
<body><nav><a href="/">Home</a></nav><script>steal()</script><!-- a remark -->
<h2>Models</h2><p>All <em>lamps</em> of the <a href="https://example.com">house</a>.</p>
<table><caption>Prices</caption><thead><tr><th rowspan="2">Model</th><th colspan="2">Price</th></tr>
<tr><th>old</th><th>new</th></tr></thead>
<tbody><tr><td rowspan="2">LX</td><td>1|99</td><td>179</td></tr><tr><td colspan="2">on<br>request</td></tr>
</tbody></table>
<ol><li>one<ul><li>within</li></ul></li><li>two</li></ol>
<div style="display: none">hidden words</div><pre>a  b
c</pre></body></html>""".encode("gbk")


def saved(document):
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


DOCUMENTS = {
    "pdf_lined.pdf": lambda: pdf_table(LAMPS, [150, 150, 100]),
    "pdf_unlined.pdf": lambda: pdf_table(LAMPS, [150, 150, 100], lines=False),
    "pdf_wrapped.pdf": lambda: pdf_table(
        [["Code", "Description", "Price"], ["A-1", "A long description\nthat goes on below", "10.00"],
         ["B-2", "Short", "7.00"]], [100, 260, 100]),
    "pdf_over_pages.pdf": lambda: over_two_pages(repeated_head=False),
    "pdf_over_pages_head.pdf": lambda: over_two_pages(repeated_head=True),
    "pdf_columns.pdf": columns,
    "pdf_facts.pdf": facts,
    "pdf_running_heads.pdf": running_heads,
    "word.docx": word,
    "workbook.xlsx": workbook,
    "slides.pptx": slides,
    "page.html": page,
    "utf8.csv": lambda: "\ufeffCode;Name;Note\r\n1;Lamp;\"a;b\"\r\n2;灯;\"two\nlines\"\r\n".encode(),
    "gbk.csv": lambda: "价格表\n编号,品名,单价\nA1,台灯,199.00\nA2,\"落地灯,大\",459\n".encode("gbk"),
    "tabs.tsv": lambda: b"Code\tName\n1\tLamp, white\n2\tBulb, clear\n",
    "gbk.txt": lambda: "名称：台灯\r\n价格：199 元\r\n".encode("gb18030"),
    "wide.txt": lambda: "\ufeff名称：台灯\nprice: 199".encode("utf-16-le"),
    "stray.md": lambda: "# Title\x00\n\n\n\nText\x0b \ufeffand\r\nmore  \n".encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", [*DOCUMENTS, *(f"sample-{number}" for number in range(len(sample_files())))])
def test_a_document_becomes_its_golden_markdown(name, tmp_path):
    number = name.removeprefix("sample-")
    filename, content = sample_files()[int(number)] if number != name else (name, DOCUMENTS[name]())
    parsed = parse(stored(tmp_path, content), filename)
    got = parsed.markdown + "".join(f"\n<!-- {note} -->\n" for note in notes_in_words(parsed.notes))
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(got, "utf-8")
    assert got == golden.read_text("utf-8")
    assert parsed.parser.startswith("local (")
