"""Readers, one per kind of document: a file in, Markdown out. They run in the child and know no Django."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import cleaned, visible
from etl.documents.parsing.readers.found import Found, Report
from etl.documents.parsing.refused import Refused, Why

MODULES = {  # imported when needed: a text file should not wait for the libraries of the others
    Kind.PDF: "pdf",
    Kind.DOCX: "word",
    Kind.XLSX: "sheets",
    Kind.PPTX: "slides",
    Kind.HTML: "web",
    Kind.CSV: "delimited",
    Kind.TSV: "delimited",
    Kind.TXT: "texts",
    Kind.MARKDOWN: "texts",
}


def read(kind: Kind, path: Path, limits: Limits, report: Report) -> Found:
    """The document as Markdown, clean enough for any database. Raises Refused; never gives an empty text."""
    report(0, None)
    found = import_module(f"{__name__}.{MODULES[kind]}").read(path, limits, report, kind)
    found.markdown = cleaned(found.markdown)
    if not any(map(visible, found.markdown.splitlines())):
        raise Refused(Why.NO_TEXT)
    report(found.pages or 1, found.pages or 1)
    return found
