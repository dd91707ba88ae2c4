"""Documents that mean harm, or only trouble, as a worker reads them: a slug within seconds, never an empty text."""

import io

import pytest

from etl.documents.notes import notes_in_words
from etl.documents.parsed import Unreadable
from etl.documents.parsing.fence import ParserDied
from etl.documents.samples import portable
from making_documents import (
    PROSE,
    archive,
    bomb_pdf,
    docx,
    docx_parts,
    encrypted_pdf,
    long_sheet,
    one_page,
    pdf_of,
    scanned_page,
    xlsx,
    xlsx_parts,
)
from reading_documents import children, parse, resident_bytes, stored

MEGABYTE = 1_000_000
BILLION = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{"&" + before + ";" * 1}{("&" + before + ";") * 9}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)  # noqa: E501
) + "]>"  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert not children()


def refused(folder, content, filename):
    with pytest.raises(Unreadable) as refusal:
        parse(stored(folder, content), filename)
    assert "Traceback" not in refusal.value.text
    return refusal.value.slug, refusal.value.text


# --- pages without text ---------------------------------------------------------------------------


def test_a_page_that_is_a_picture_needs_recognition_and_is_named(tmp_path):
    assert refused(tmp_path, pdf_of(scanned_page()), "a.pdf") == ("needs_ocr", "pages 1")
    mixed = pdf_of(one_page(), scanned_page(), one_page(), scanned_page())
    assert refused(tmp_path, mixed, "a.pdf") == ("needs_ocr", "pages 2, 4")


def test_a_scan_with_page_numbers_is_still_a_scan(tmp_path):
    pages = []
    for number in range(1, 4):
        page = scanned_page()
        page.text(290, 820, f"- {number} -")
        pages.append(page)
    assert refused(tmp_path, pdf_of(*pages), "a.pdf") == ("needs_ocr", "pages 1, 2, 3")


def test_an_empty_page_among_others_is_noted_and_pages_without_anything_are_no_success(tmp_path):
    parsed = parse(stored(tmp_path, pdf_of(one_page(), portable.Page())), "a.pdf")
    assert parsed.markdown == PROSE + "\n"
    assert parsed.pages == 2
    assert notes_in_words(parsed.notes) == ["Pages with nothing on them: 2"]
    assert refused(tmp_path, pdf_of(portable.Page()), "a.pdf")[0] == "needs_ocr"


@pytest.mark.long
def test_office_files_of_pictures_only_need_recognition_and_empty_ones_have_no_text(tmp_path):
    from docx import Document
    from PIL import Image
    from pptx import Presentation

    picture = io.BytesIO()
    Image.new("L", (40, 40), 200).save(picture, "PNG")
    document, show, out = Document(), Presentation(), io.BytesIO()
    document.add_picture(picture)
    document.save(out)
    assert refused(tmp_path, out.getvalue(), "a.docx") == ("needs_ocr", "1 pictures and no text")
    show.slides.add_slide(show.slide_layouts[6]).shapes.add_picture(picture, 0, 0)
    out = io.BytesIO()
    show.save(out)
    assert refused(tmp_path, out.getvalue(), "a.pptx") == ("needs_ocr", "slides 1")
    out = io.BytesIO()
    Document().save(out)
    assert refused(tmp_path, out.getvalue(), "a.docx")[0] == "no-text"
    assert refused(tmp_path, xlsx(""), "a.xlsx")[0] == "no-text"
    for filename, content in (("a.txt", b" \n\n"), ("a.csv", b",,\n,,\n"), ("a.html", b"<p></p><nav>menu</nav>")):
        assert refused(tmp_path, content, filename)[0] == "no-text"


# --- too much -------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_pdf_that_unpacks_without_end_kills_its_child_only(tmp_path, settings):
    settings.ETL_PARSER_MEMORY_BYTES = 500 * MEGABYTE
    path = stored(tmp_path, bomb_pdf())
    assert path.stat().st_size < 10_000
    before = resident_bytes()
    with pytest.raises(ParserDied):
        parse(path, "a.pdf")
    assert resident_bytes() - before < 20 * MEGABYTE


def test_pages_beyond_the_limit_are_refused(tmp_path, settings):
    settings.ETL_MAX_PAGES = 3
    assert refused(tmp_path, pdf_of(*[one_page()] * 4), "a.pdf") == ("too-many-pages", "4, at most 3")
    assert parse(stored(tmp_path, pdf_of(*[one_page()] * 3)), "a.pdf").pages == 3


@pytest.mark.long
def test_a_sheet_of_100_000_rows_is_refused(tmp_path):
    assert refused(tmp_path, long_sheet(100_000), "a.xlsx") == ("too-many-rows", "One: at most 50000")


def test_rows_are_counted_without_the_head_and_without_empty_ones(tmp_path, settings):
    settings.ETL_MAX_ROWS = 3
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>head</t></is></c></row>' + "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in (2, 3, 4)
    )
    blank = "".join(f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(5, 1000))
    assert parse(stored(tmp_path, xlsx(rows + blank)), "a.xlsx").markdown.endswith("| 4 |\n")
    one_more = rows + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    assert refused(tmp_path, xlsx(one_more), "a.xlsx")[0] == "too-many-rows"
    assert refused(tmp_path, b"head,x\n" + b"1,2\n" * 4, "a.csv")[0] == "too-many-rows"
    assert parse(stored(tmp_path, b"head,x\n" + b"1,2\n" * 3), "a.csv").markdown.count("| 1 | 2 |") == 3


@pytest.mark.parametrize("claim", ["A1:XFD1048576", "A1"])
def test_a_sheet_is_read_by_what_it_has_and_not_by_the_size_it_claims(claim, tmp_path):
    parts = xlsx_parts(
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row><row r="2"><c r="B2"><v>3</v></c></row>',
        after='<mergeCells><mergeCell ref="A9:XFD1048576"/></mergeCells>',
    )
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace("<sheetData>", f'<dimension ref="{claim}"/><sheetData>', 1)
    markdown = parse(stored(tmp_path, archive(parts)), "a.xlsx").markdown
    assert markdown == "## One\n\n| 1 | 2 |\n|---|---|\n|  | 3 |\n"


def test_html_nested_without_end_is_refused_and_what_pages_leave_open_is_closed(tmp_path):
    content = b"<p>words</p>" + b"<div>" * 100_000
    assert refused(tmp_path, content, "a.html") == ("damaged-file", "elements are nested too deeply")
    content = b"<table>" + b"<tr><td>a<td>b" * 3_000 + b"</table>" + b"<p>line<li>item" * 3_000
    assert parse(stored(tmp_path, content), "a.html").markdown.count("| a | b |") == 3_000
    deep = b"<div><b>" * 240 + b"in the middle"
    assert "in the middle" in parse(stored(tmp_path, deep), "a.html").markdown


# --- references and entities ----------------------------------------------------------------------


@pytest.mark.parametrize("filename", ["a.docx", "a.xlsx"])
def test_a_billion_laughs_are_refused_before_anybody_laughs(filename, tmp_path):
    content = docx(document=BILLION + "<x>&i;</x>") if filename == "a.docx" else xlsx(before=BILLION)
    assert refused(tmp_path, content, filename)[0] == "unsafe-xml"


def test_entities_of_a_page_are_not_resolved(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("canary")
    page = (
        f'<!DOCTYPE html [<!ENTITY a SYSTEM "file://{secret}">]><html><body><p>It says &a; &amp; no more.</p>'
        f'<iframe src="file://{secret}"></iframe><object data="file://{secret}"></object></body></html>'
    )
    markdown = parse(stored(tmp_path, page.encode()), "a.html").markdown
    assert "canary" not in markdown
    assert "& no more." in markdown


def test_a_picture_elsewhere_is_not_fetched_by_a_word_document(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("canary")
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    document = (
        f'<w:document xmlns:w="{word}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
        ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
        ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"><w:body><w:p><w:r>'
        "<w:t>Words</w:t><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic"
        ' xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip r:link="r9"/>'
        "</pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p></w:body></w:document>"
    )
    links = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r9"'
        ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"'
        f' Target="file://{secret}" TargetMode="External"/></Relationships>'
    )
    content = archive(docx_parts(document=document) | {"word/_rels/document.xml.rels": links})
    parsed = parse(stored(tmp_path, content), "a.docx")
    assert parsed.markdown == "Words\n"
    assert notes_in_words(parsed.notes) == ["Pictures that were not read: 1"]


# --- what else goes wrong -------------------------------------------------------------------------


def test_the_worker_looks_again_at_what_the_door_let_in(tmp_path):
    assert refused(tmp_path, b"<html></html>", "a.pdf")[0] == "wrong-extension"
    assert refused(tmp_path, encrypted_pdf(), "a.pdf")[0] == "encrypted"
    assert refused(tmp_path, docx(**{"../../x": "x"}), "a.docx")[0] == "unsafe-archive"


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("a.pdf", b"%PDF-1.4\nnothing of a PDF\nstartxref\n9\n%%EOF\n"),
        ("a.docx", docx(document="<w:document/>")), ("a.docx", docx(document="<w><unclosed></w>")),
        ("a.xlsx", archive(xlsx_parts("") | {"xl/worksheets/sheet1.xml": "<worksheet><sheetData><row>"})),
        ("a.xlsx", archive(xlsx_parts("") | {"xl/workbook.xml": "<nonsense/>"})),
        ("a.csv", b'a,b\n"' + b"x" * 1_100_000 + b'",1\n'),
    ],
)  # fmt: skip
def test_a_broken_document_is_damaged(filename, content, tmp_path):
    assert refused(tmp_path, content, filename)[0] == "damaged-file"


def test_a_file_that_is_gone_says_so(tmp_path):
    with pytest.raises(Unreadable) as refusal:
        parse(tmp_path / "7", "a.txt")
    assert refusal.value.slug == "file-lost"


def test_what_no_database_takes_is_taken_out(tmp_path):
    text = parse(stored(tmp_path, b"one\x00two\xef\xbf\xbe \xed\xa0\x80 &#xD800; three\n"), "a.txt").markdown
    assert "\x00" not in text
    text.encode()
    text = parse(stored(tmp_path, b"<p>one&#0;two &#xD800; &#55296;three</p>"), "a.html").markdown
    assert "\x00" not in text
    text.encode()


def test_progress_is_told_in_pages(tmp_path):
    told = []
    parse(stored(tmp_path, pdf_of(*[one_page()] * 150)), "a.pdf", report=lambda read, of: told.append((read, of)))
    assert told[0] == (0, None)
    assert told[-1] == (150, 150)
    assert told == sorted(told, key=lambda each: each[0])


def test_what_a_page_with_pictures_says_is_read_and_the_pictures_are_counted(tmp_path):
    page = one_page()
    page.picture(100, 400, 200, 200)
    parsed = parse(stored(tmp_path, pdf_of(page)), "a.pdf")
    assert parsed.markdown == PROSE + "\n"
    assert notes_in_words(parsed.notes) == ["Pictures that were not read: 1"]
    assert parsed.parser.startswith("local (liteparse ")
