"""A brief as a file: txt, md, docx and csv.

txt is the stored text byte for byte, so it has the SHA-256 on record. md and docx say the same lines, with the
title, the section headings and the titles of entries marked as such. csv holds the recorded articles. A brief
whose text was never stored (a row copied in from before) is written from its articles.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from api.downloads import csv_text
from exports.archive import Batch, Item, items_of
from exports.models import BriefTemplate, TemplateSection

FORMATS = ("txt", "md", "docx", "csv")
CONTENT_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "csv": "text/csv; charset=utf-8",
}
NAME_LENGTH = 80  # characters; some file systems allow 255 bytes, and one may take three or four
EAST_ASIAN_FONT = "SimSun"  # Word falls back to what it has; without one, Chinese gets the Latin font's boxes
MARKER_LENGTH = 12  # characters before a title that still count as its marker

_UNSAFE = re.compile(r"[^\w\-]+")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~]|^[#+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d\d\d)[.)])")
_MARKDOWN_HEADING = re.compile(r"(#{1,6}) +(.*)")


class Kind(Enum):
    """What a line of a brief is."""

    TITLE = 1
    HEADING = 2
    ENTRY = 3
    TEXT = 4


@dataclass(frozen=True)
class File:
    """A brief ready to be sent."""

    name: str
    content_type: str
    content: bytes


def file_of(batch: Batch, file_format: str) -> File:
    """The brief in one of FORMATS."""
    items = list(items_of(batch))
    write = {"txt": _txt, "md": markdown_of, "docx": _docx, "csv": _csv}[file_format]
    return File(f"{safe_name(batch.report_tag)}.{file_format}", CONTENT_TYPES[file_format], write(batch, items))


def safe_name(tag: str) -> str:
    """The tag as a file name everywhere: letters, digits, - and _ only; no path, no hidden file, never empty."""
    return _UNSAFE.sub("_", tag).strip("_-")[:NAME_LENGTH].rstrip("_-") or "brief"


def text_of(batch: Batch, items: Sequence[Item]) -> str:
    """The stored text; of a brief that has none, what its articles say."""
    if batch.content or not items:
        return batch.content
    return "".join(f"{_title(item)}\n{item.final_summary}\n\n" for item in items)


def lines_of(batch: Batch, items: Sequence[Item]) -> Iterator[tuple[Kind, str]]:
    """The text line by line, each with what it is. Joined again they are the text."""
    counts = batch.export_payload.get("category_counts") if isinstance(batch.export_payload, dict) else None
    headings = [name for name in counts if name] if isinstance(counts, dict) else _headings(batch)
    titles = {_title(item) for item in items}
    before_everything = True
    for line in text_of(batch, items).split("\n"):
        kind = _kind(line, headings, titles)
        if kind in (Kind.HEADING, Kind.ENTRY):
            before_everything = False
        elif before_everything and line.strip():
            kind, before_everything = Kind.TITLE, False
        yield kind, line


def _kind(line: str, headings: Sequence[str], titles: set[str]) -> Kind:
    bare = line.strip()
    if not bare:
        return Kind.TEXT
    # a marker or number may stand before a title
    if any(bare[start:] in titles for start in range(min(MARKER_LENGTH, len(bare)) + 1)):
        return Kind.ENTRY
    room = 2 * MARKER_LENGTH  # for brackets and a count
    if any(heading in bare and len(bare) <= len(heading) + room for heading in headings):
        return Kind.HEADING
    return Kind.TEXT


def _headings(batch: Batch) -> list[str]:
    sections = TemplateSection.objects.filter(template__slug=batch.template)
    return list(sections.values_list("heading", flat=True))


def _title(item: Item) -> str:
    metadata = item.metadata if isinstance(item.metadata, dict) else {}
    # a title is printed on one line
    return " ".join(str(metadata.get("title") or item.article_id).split())


def _is_markdown(batch: Batch) -> bool:
    return BriefTemplate.objects.filter(slug=batch.template, is_markdown=True).exists()


def _txt(batch: Batch, items: Sequence[Item]) -> bytes:
    return text_of(batch, items).encode()


def markdown_of(batch: Batch, items: Sequence[Item]) -> bytes:
    """The text as Markdown; batch and items need not be stored."""
    if _is_markdown(batch):
        return _txt(batch, items)
    marks = {Kind.TITLE: "# ", Kind.HEADING: "## ", Kind.ENTRY: "### ", Kind.TEXT: ""}
    written: list[str] = []
    for kind, line in lines_of(batch, items):
        if not line.strip():
            continue
        written.append(marks[kind] + _MARKDOWN.sub(r"\\\1", line.strip()))
    return ("\n\n".join(written) + "\n").encode() if written else b""


def _docx(batch: Batch, items: Sequence[Item]) -> bytes:
    from docx import Document  # not above: every command would load it
    from docx.oxml.ns import qn

    document = Document()
    for name in ("Normal", "Title", "Heading 1", "Heading 2"):
        font = document.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        font.set(qn("w:eastAsia"), EAST_ASIAN_FONT)
    document.core_properties.title = _NO_XML.sub("", batch.report_tag)[:255]
    document.core_properties.author = ""
    document.core_properties.created = document.core_properties.modified = batch.created_at
    styles = {Kind.TITLE: "Title", Kind.HEADING: "Heading 1", Kind.ENTRY: "Heading 2", Kind.TEXT: None}
    lines = _markdown_lines(batch, items) if _is_markdown(batch) else lines_of(batch, items)
    for kind, line in lines:
        document.add_paragraph(_NO_XML.sub("", line), style=styles[kind])
    if batch.content.endswith("\n"):  # which is the end of the last line, and no line of its own
        last = document.paragraphs[-1]._element
        last.getparent().remove(last)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _markdown_lines(batch: Batch, items: Sequence[Item]) -> Iterator[tuple[Kind, str]]:
    """A Markdown text with its headings as headings and its escapes undone."""
    kinds = {1: Kind.TITLE, 2: Kind.HEADING, 3: Kind.ENTRY}
    for line in text_of(batch, items).split("\n"):
        heading = _MARKDOWN_HEADING.match(line)
        kind = kinds.get(len(heading[1]), Kind.TEXT) if heading else Kind.TEXT
        yield kind, re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", heading[2] if heading else line)


_METADATA_COLUMNS = ("title", "source", "original_url", "published_at", "score", "importance", "region", "sentiment")


def _csv(batch: Batch, items: Sequence[Item]) -> bytes:
    """One line per article, with a byte order mark for spreadsheets; no cell is a formula."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["place", "section", "article_id", *_METADATA_COLUMNS, "keywords", "summary"])
    for item in items:
        metadata: dict[str, Any] = item.metadata if isinstance(item.metadata, dict) else {}
        keywords = metadata.get("keywords")
        cells = [
            item.order_index,
            item.section,
            item.article_id,
            *(metadata.get(name) for name in _METADATA_COLUMNS),
            "; ".join(map(str, keywords)) if isinstance(keywords, list) else keywords,
            item.final_summary,
        ]
        writer.writerow([csv_text(cell) for cell in cells])
    return b"\xef\xbb\xbf" + lines.getvalue().encode()
