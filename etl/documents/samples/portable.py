"""A PDF written by hand: texts, lines, pictures at their places. Enough for a sample, and for what tests need."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

WIDTH, HEIGHT = 595, 842  # A4 in points
LATIN, BOLD, CHINESE = "F1", "F2", "F3"
# a font of the reader's, by the character collection that every reader of Chinese PDFs has
FONTS = (
    b"<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    b" /F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"
    b" /F3 << /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts ["
    b" << /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /W [1 95 500]"
    b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >>"
    b" /FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light /Flags 4 /FontBBox [-25 -254 1000 880]"
    b" /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >> >> ] >> >>"
)


@dataclass
class Page:
    """A page being written; y counts from the top, as one reads."""

    parts: list[bytes] = field(default_factory=list)
    has_picture: bool = False

    def text(self, x: float, y: float, text: str, *, size: float = 11, bold: bool = False) -> None:
        """A line of text, its foot at y."""
        if text.isascii():
            font, shown = BOLD if bold else LATIN, b"(" + _escaped(text) + b")"
        else:
            font, shown = CHINESE, b"<" + text.encode("utf-16-be").hex().encode() + b">"
        self.parts.append(b"BT /%s %g Tf %g %g Td %s Tj ET" % (font.encode(), size, x, HEIGHT - y, shown))

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A thin straight line."""
        self.parts.append(b"0.7 w %g %g m %g %g l S" % (x1, HEIGHT - y1, x2, HEIGHT - y2))

    def picture(self, x: float, y: float, width: float, height: float) -> None:
        """A grey picture, its foot at y."""
        self.has_picture = True
        self.parts.append(b"q %g 0 0 %g %g %g cm /Im1 Do Q" % (width, height, x, HEIGHT - y))

    def table(
        self, x: float, y: float, widths: list[float], rows: list[list[str]], *, height: float = 20, lines: bool = True
    ) -> float:
        """A table with its upper edge at y; gives its lower edge. A line end in a cell goes on below."""
        edges = [x + sum(widths[:number]) for number in range(len(widths) + 1)]
        top = y
        if lines:
            self.line(edges[0], y, edges[-1], y)
        for number, row in enumerate(rows):
            tallest = max(cell.count("\n") + 1 for cell in row)
            for edge, cell in zip(edges, row, strict=False):
                for below, text in enumerate(cell.split("\n")):
                    self.text(edge + 4, y + 14 + 12 * below, text, size=10, bold=number == 0)
            y += height + 12 * (tallest - 1)
            if lines:
                self.line(edges[0], y, edges[-1], y)
        if lines:
            for edge in edges:
                self.line(edge, top, edge, y)
        return y


def pdf(pages: list[Page]) -> bytes:
    """The file."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages)))
    grey = zlib.compress(bytes([200]) * 64 * 64)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        _stream(
            grey, b" /Type /XObject /Subtype /Image /Width 64 /Height 64 /BitsPerComponent 8 /ColorSpace /DeviceGray"
        ),
    ]
    for number, page in enumerate(pages):
        pictures = b" /XObject << /Im1 3 0 R >>" if page.has_picture else b""
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << /Font %s%s >> /Contents %d 0 R >>"
            % (WIDTH, HEIGHT, FONTS, pictures, 5 + 2 * number)
        )
        objects.append(_stream(zlib.compress(b"\n".join(page.parts))))
    return with_objects(objects)


def with_objects(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1, the first being its catalog."""
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def _stream(packed: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d /Filter /FlateDecode%s >>\nstream\n%s\nendstream" % (len(packed), more, packed)


def _escaped(text: str) -> bytes:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("ascii")
