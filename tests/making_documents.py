"""Documents of every kind, made here: good ones, and those that somebody made to do harm."""

import io
import struct
import zipfile
import zlib

from etl.documents.samples import portable

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PROSE = "A page with a good deal of text on it, more than twenty characters."


# --- PDF ------------------------------------------------------------------------------------------


def one_page(*lines, **options):
    page = portable.Page()
    for number, line in enumerate(lines or (PROSE,)):
        page.text(60, 80 + 16 * number, line, **options)
    return page


def pdf_of(*pages):
    return portable.pdf(list(pages))


def pdf_table(rows, widths, *, lines=True, title="A table"):
    page = portable.Page()
    page.text(60, 60, title, size=18, bold=True)
    page.table(60, 90, widths, rows, lines=lines)
    return pdf_of(page)


def scanned_page():
    page = portable.Page()
    page.picture(0, portable.HEIGHT, portable.WIDTH, portable.HEIGHT)
    return page


def encrypted_pdf():
    return portable.with_objects(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 0 /Kids [] >>",
         b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O (" + b"o" * 32 + b") /U (" + b"u" * 32 + b") >>"],
        b" /Encrypt 3 0 R /ID [(0123456789abcdef) (0123456789abcdef)]",
    )  # fmt: skip


def bomb_pdf(unpacked=3_000_000_000):
    """A page whose content unpacks twice, to three gigabytes of blanks."""
    once = _packed_blanks(unpacked)
    twice = zlib.compress(once, 9)
    content = b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (len(twice), twice)
    return portable.with_objects([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        content,
    ])  # fmt: skip


def _packed_blanks(size):
    """Packed block by block, each the same as the one before: quick to make."""
    block = b" " * 10_000_000
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (size // len(block)) + b"\x03\x00" + b"\0\0\0\0"


# --- office ---------------------------------------------------------------------------------------


def archive(entries, *, packing=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def docx_parts(text="Hello", document=None, **more):
    """The parts of the smallest Word document."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{WORD}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument"'
        ' Target="word/document.xml"/></Relationships>',
        "word/document.xml": document or f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p>'
        "</w:body></w:document>",
    } | more  # fmt: skip


def docx(text="Hello", **more):
    return archive(docx_parts(text, **more))


def xlsx_parts(rows, before="", after="", title="One"):
    """The parts of the smallest workbook; `rows` are XML."""
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET}"/><Override PartName="/xl/worksheets/sheet1.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1"'
        f' Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}"><sheets><sheet name="{title}"'
        ' sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'{before}<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData>{after}'
        "</worksheet>",
    }  # fmt: skip


def xlsx(rows='<row r="1"><c r="A1"><v>1</v></c></row>', **more):
    return archive(xlsx_parts(rows, **more))


def long_sheet(count):
    return xlsx("".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>{n * 7919 % 10007}</v></c></row>'
        for n in range(1, count + 1)
    ))  # fmt: skip


def compound(stream):
    """The head of a file of the old container with a stream of this name."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1016 + stream.encode("utf-16-le") + b"\0" * 512


def lying_archive(entries, name, declared):
    """An archive whose directory, and the entry itself, say that it unpacks to `declared` bytes."""
    content = bytearray(archive(entries))
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as file:
        real = file.getinfo(name)
    for signature, size_at, name_at in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = content.find(signature)
        while content[at + name_at : at + name_at + len(name)] != name.encode():
            at = content.find(signature, at + 4)
        assert struct.unpack_from("<L", content, at + size_at)[0] == real.file_size
        struct.pack_into("<L", content, at + size_at, declared)
    return bytes(content)


def overlapping_archive(entries, count):
    """An archive whose directory names its first entry many times, under other names."""
    whole = archive(entries)
    at = whole.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<LL", whole, at + 12)
    name_bytes, extra, comment = struct.unpack_from("<HHH", whole, start + 28)
    first = whole[start : start + 46 + name_bytes + extra + comment]
    more = b"".join(
        first[:46] + b"%0*d" % (name_bytes, number) + first[46 + name_bytes :] for number in range(count)
    )  # fmt: skip
    end = bytearray(whole[at:])
    struct.pack_into("<HHLL", end, 8, len(entries) + count, len(entries) + count, size + len(more), start)
    return whole[:at] + more + bytes(end)
