"""DOCX by mammoth: by meaning, without looks; comments and what tracked changes removed are left out."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import visible
from etl.documents.parsing.readers.found import Found, Report
from etl.documents.parsing.refused import Refused, Why

# beside mammoth's own, which knows headings but not the title above them
STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='标题'] => h1:fresh
"""


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """Headings, paragraphs, lists, tables. Raises Refused with `needs_ocr` when it is nothing but pictures."""
    import mammoth
    from bs4 import BeautifulSoup

    from etl.documents.parsing.readers.markup import markdown_of

    pictures = 0

    def skip(_image: object) -> list[object]:
        nonlocal pictures
        pictures += 1
        return []

    with path.open("rb") as file:
        html = mammoth.convert_to_html(file, style_map=STYLES, convert_image=skip, external_file_access=False).value
    markdown = markdown_of(BeautifulSoup(html, "html.parser"))
    if pictures and not visible(markdown):
        raise Refused(Why.NEEDS_OCR, f"{pictures} pictures and no text")
    notes = [{"what": "pictures", "count": pictures}] if pictures else []
    return Found(markdown, f"mammoth {version('mammoth')}", notes=notes)
