"""What comes in: the kinds on the list, and a slug at once for everything else."""

import io
import os
import stat
import tracemalloc
import zipfile

import pytest

from etl.documents.choices import DocumentError
from etl.documents.parsed import Unreadable
from etl.documents.parsing.media import recognise
from etl.documents.parsing.refused import Why
from etl.documents.samples import sample_files
from making_documents import (
    PROSE,
    archive,
    compound,
    docx,
    docx_parts,
    encrypted_pdf,
    lying_archive,
    one_page,
    overlapping_archive,
    pdf_of,
    xlsx,
    xlsx_parts,
)
from reading_documents import stored

ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
MACRO_TYPES = '<Types xmlns="x"><Override PartName="/word/document.xml" ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/></Types>'  # noqa: E501
PDF = pdf_of(one_page())


def slug_of(folder, content, filename):
    with pytest.raises(Unreadable) as refusal:
        recognise(stored(folder, content), filename)
    assert "Traceback" not in refusal.value.text
    return refusal.value.slug


@pytest.mark.parametrize(
    ("filename", "content", "kind"),
    [
        *((name, content, name.rpartition(".")[2]) for name, content in sample_files()),
        ("A.PDF", PDF, "pdf"), ("page.htm", b"<p>text</p>", "html"), ("a.tsv", b"a\tb\n", "tsv"),
        ("a.md", b"<b>bold</b> words\n", "md"), ("a.txt", "价格".encode("gbk"), "txt"),
        ("wide.txt", "\ufeff价格".encode("utf-16-le"), "txt"), ("stray.txt", b"a" * 100 + b"\0", "txt"),
        ("old.html", b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0"><html></html>', "html"),
        ("with-drawing.html", b"<html><body><svg></svg><p>a</p></body></html>", "html"),
    ],
)  # fmt: skip
def test_a_kind_on_the_list_is_recognised_by_name_and_content(filename, content, kind, tmp_path):
    media = recognise(stored(tmp_path, content), filename)
    assert media.kind == kind
    assert "/" in media.media_type


@pytest.mark.parametrize(
    ("filename", "content", "slug"),
    [
        ("a.txt", b"", "empty-file"),
        ("a.exe", b"MZ\x90\0", "unknown-file-type"), ("a", PDF, "unknown-file-type"),
        ("drawing.svg", b"<svg></svg>", "unknown-file-type"),
        ("old.doc", compound("WordDocument"), "unknown-file-type"),
        ("drawing.html", b'<?xml version="1.0"?>\n<!-- x --><svg onload="x()"></svg>', "unknown-file-type"),
        ("drawing.txt", b"<svg></svg>", "unknown-file-type"),
        ("page.pdf", b"<html></html>", "wrong-extension"), ("picture.pdf", b"\x89PNG\r\n\x1a\n", "wrong-extension"),
        ("a.docx", PDF, "wrong-extension"), ("a.docx", xlsx(), "wrong-extension"),
        ("a.xlsx", docx(), "wrong-extension"),
        ("a.docx", archive({"a.txt": "a"}), "wrong-extension"), ("a.xlsx", b"a,b\n", "wrong-extension"),
        ("a.csv", xlsx(), "wrong-extension"), ("a.txt", PDF, "wrong-extension"), ("a.md", docx(), "wrong-extension"),
        ("a.txt", bytes(range(256)) * 40, "wrong-extension"), ("a.txt", b"<!DOCTYPE html><p>a", "wrong-extension"),
        ("a.html", b"just words", "wrong-extension"), ("a.html", b"GIF89a<p>script</p>", "wrong-extension"),
        ("old.docx", compound("WordDocument"), "wrong-extension"),
        ("both.pdf", PDF + archive({"a.txt": "a"}), "wrong-extension"),
        ("a.docm", docx(), "has-macros"), ("a.xlsm", xlsx(), "has-macros"),
        ("a.docx", docx(**{"word/vbaProject.bin": b"x"}), "has-macros"),
        ("a.docx", docx(**{"[Content_Types].xml": MACRO_TYPES}), "has-macros"),
        ("a.xlsx", archive(xlsx_parts("") | {"xl/macrosheets/sheet1.xml": "<a/>"}), "has-macros"),
        ("a.docx", compound("EncryptedPackage"), "encrypted"), ("a.xlsx", compound("EncryptedPackage"), "encrypted"),
        ("a.pdf", encrypted_pdf(), "encrypted"),
        ("a.pdf", PDF[:-60], "damaged-file"), ("a.pdf", PDF[:200], "damaged-file"),
        ("a.docx", docx()[:-30], "damaged-file"), ("a.docx", docx()[:100], "damaged-file"),
        ("a.docx", docx().replace(b"word/document.xml", b"word/docXment.xml", 1), "damaged-file"),
        ("a.docx", docx(document="<a"), "damaged-file"),
        ("a.docx", docx(document=ENTITY + "<x/>"), "unsafe-xml"),
        ("a.docx", docx(document=(ENTITY + "<x/>").encode("utf-16")), "unsafe-xml"),
        ("a.docx", docx(document='<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>'), "unsafe-xml"),
        ("a.docx", docx(**{"word/part.bin": ENTITY + "<x/>"}), "unsafe-xml"),
        ("a.xlsx", xlsx(before=ENTITY), "unsafe-xml"),
        ("a.docx", docx(document="<!--" + " " * 70_000 + "-->" + ENTITY + "<x/>"), "unsafe-xml"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_slug(filename, content, slug, tmp_path):
    assert slug_of(tmp_path, content, filename) == slug


def test_an_archive_may_not_unpack_to_more_than_a_hundred_times_its_size(tmp_path):
    single = docx(**{"word/media/a.bmp": bytes(50_000_000)})
    assert slug_of(tmp_path, single, "a.docx") == "unsafe-archive"
    many = docx_parts() | {f"word/media/{n}.bmp": bytes(900_000) for n in range(60)}  # each of them harmless
    assert slug_of(tmp_path, archive(many), "a.docx") == "unsafe-archive"
    beside = docx_parts() | {"word/media/a.png": os.urandom(1_000_000), "word/media/a.bmp": bytes(50_000_000)}
    assert slug_of(tmp_path, archive(beside), "a.docx") == "unsafe-archive"
    assert recognise(stored(tmp_path, docx(**{"word/media/a.bmp": bytes(500_000)})), "a.docx").kind == "docx"


def test_an_archive_is_counted_not_believed(tmp_path):
    parts = docx_parts() | {"word/media/a.bmp": bytes(50_000_000)}
    assert slug_of(tmp_path, lying_archive(parts, "word/media/a.bmp", 1000), "a.docx") == "unsafe-archive"
    short = lying_archive(docx_parts("x" * 5000), "word/document.xml", 900_000)
    assert slug_of(tmp_path, short, "a.docx") == "damaged-file"


@pytest.mark.parametrize(
    "more",
    [
        {"../../etc/cron.d/x": "x"}, {"/etc/passwd": "x"}, {"word\\..\\..\\x": "x"}, {"C:/x": "x"},
        {"word/inner.zip": archive({"a": "a" * 1000})}, {f"word/{n}": "" for n in range(1000)},
        {"WORD/document.xml": "<x/>"},
    ],
    ids=["up", "root", "backslash", "drive", "nested", "entries", "twice"],
)  # fmt: skip
def test_an_archive_with_entries_that_no_office_file_has_is_refused(more, tmp_path):
    assert slug_of(tmp_path, archive(docx_parts() | more), "a.docx") == "unsafe-archive"


def test_an_archive_within_an_archive_is_refused_packed_or_not(tmp_path):
    inner = archive({"a": bytes(1_000_000)})
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert (
            slug_of(tmp_path, archive(docx_parts() | {"x.bin": inner}, packing=packing), "a.docx") == "unsafe-archive"
        )
    chart = archive(docx_parts() | {"word/embeddings/sheet.xlsx": xlsx()})
    assert recognise(stored(tmp_path, chart), "a.docx").kind == "docx"


def test_links_overlaps_and_strange_packing_are_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in docx_parts().items():
            file.writestr(name, content)
        link = zipfile.ZipInfo("word/link.xml")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert slug_of(tmp_path, out.getvalue(), "a.docx") == "unsafe-archive"
    assert slug_of(tmp_path, overlapping_archive(docx_parts(), 3), "a.docx") == "unsafe-archive"
    assert slug_of(tmp_path, archive(docx_parts(), packing=zipfile.ZIP_LZMA), "a.docx") == "unsafe-archive"
    assert slug_of(tmp_path, docx() + b"tail", "a.docx") == "unsafe-archive"


def test_an_archive_with_a_million_entries_is_refused_before_they_are_listed(tmp_path):
    whole = docx()
    at = whole.rindex(b"PK\x05\x06")
    entry = b"PK\x01\x02" + bytes(42)
    forged = bytearray(whole[at:])
    forged[12:16] = (46 * 1_000_000).to_bytes(4, "little")  # the count itself goes on saying three
    path = stored(tmp_path, whole[:at] + entry * 1_000_000 + bytes(forged))
    tracemalloc.start()
    with pytest.raises(Unreadable) as refusal:
        recognise(path, "a.docx")
    assert refusal.value.slug == "unsafe-archive"
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("filename", ["a.pdf", "a.docx", "a.csv", "a.html"])
def test_a_file_of_300_mb_is_refused_without_being_read(filename, tmp_path):
    path = stored(tmp_path, b"%PDF-1.4")
    with path.open("r+b") as file:
        file.truncate(300_000_000)
    tracemalloc.start()
    with pytest.raises(Unreadable) as refusal:
        recognise(path, filename)
    assert refusal.value.slug == "file-too-large"
    assert "300000000" in refusal.value.text
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_the_largest_file_allowed_is_looked_through_in_little_memory(tmp_path):
    path = tmp_path / "7"
    with path.open("wb") as file:
        file.write(PDF[:-60] + b"% " + PROSE.encode())
        for _ in range(95):
            file.write(b"%" * 1_000_000)
        file.write(b"\nstartxref\n9\n%%EOF\n")
    tracemalloc.start()
    assert recognise(path, "a.pdf").kind == "pdf"
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_file_that_is_gone_says_so(tmp_path):
    with pytest.raises(Unreadable) as refusal:
        recognise(tmp_path / "7", "a.txt")
    assert refusal.value.slug == "file-lost"


def test_every_word_of_the_part_without_django_is_a_word_of_documents():
    assert {why.value for why in Why} <= set(DocumentError.values)
