"""Office files: what their parts say they are, no macros, no XML with a document type."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.parsers import expat

from etl.documents.parsing.refused import Refused, Why

COMPOUND_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, and every encrypted office file
MAIN_PART = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}
CONTENT_TYPES = "[Content_Types].xml"
CONTENT_TYPES_BYTES = 1_000_000
PROLOGUE_BYTES = 65_536
MACRO_NAMES = re.compile(r"(^|/)(vbaproject|vbadata|macrosheets/|intlmacrosheets/)", re.IGNORECASE)
MACRO_TYPES = re.compile(rb"macroenabled|vbaproject|ms-excel\.(intl)?macrosheet", re.IGNORECASE)
XML_NAMES = (".xml", ".rels", ".vml")
XML_STARTS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
CHUNK_BYTES = 1_048_576


def check(archive: zipfile.ZipFile, extension: str) -> None:
    """Raise Refused when the archive is not the office file of this extension, or not a harmless one."""
    names = set(archive.namelist())
    if CONTENT_TYPES not in names:
        raise Refused(Why.WRONG_EXTENSION, "an archive, but no office file")
    types = _read(archive, CONTENT_TYPES, CONTENT_TYPES_BYTES + 1)
    if len(types) > CONTENT_TYPES_BYTES:
        raise Refused(Why.UNSAFE_ARCHIVE, "its list of parts is too long")
    if MACRO_TYPES.search(types.replace(b"\x00", b"")) or any(MACRO_NAMES.search(name) for name in names):
        raise Refused(Why.HAS_MACROS)
    if MAIN_PART[extension] not in names:
        raise Refused(Why.WRONG_EXTENSION, f"the content is not that of a .{extension}")
    for name in names:
        _check_prologue(archive, name)


def refusal_of_compound(path: Path, extension: str) -> Refused:
    """Why a file of the old container is not read: its office file is encrypted, or it is of an old format."""
    if _contains(path, "EncryptedPackage".encode("utf-16-le")):
        return Refused(Why.ENCRYPTED)
    return Refused(Why.WRONG_EXTENSION, f"an old office file, not a .{extension}")


def _check_prologue(archive: zipfile.ZipFile, name: str) -> None:
    """No part of an office file has a document type, so none has entities of its own.

    A document type stands before the first element, so only that much is read. Parts that are not XML by name are
    looked at too, because readers go by the list of parts and not by names.
    """
    start = _read(archive, name, PROLOGUE_BYTES)
    is_xml = name.lower().endswith(XML_NAMES)
    if not is_xml and not start.lstrip().startswith(XML_STARTS):
        return
    if is_xml and not start.strip():
        return
    try:
        has_root = _has_root(start)
    except expat.ExpatError as error:
        if not is_xml:
            return
        raise Refused(Why.DAMAGED, f"{name[:80]}: {expat.ErrorString(error.code)}") from error
    if not has_root and len(start) == PROLOGUE_BYTES:
        raise Refused(Why.UNSAFE_XML, f"{name[:80]}: a preamble without end")
    if not has_root and is_xml:
        raise Refused(Why.DAMAGED, f"{name[:80]}: no element")


class _RootReached(Exception):
    """Enough was read."""


def _has_root(start: bytes) -> bool:
    """Whether the first element begins in these bytes. Raises Refused at a document type before it."""
    parser = expat.ParserCreate()

    def refuse(*_arguments: object) -> None:
        raise Refused(Why.UNSAFE_XML, "a document type in a part of the file")

    def stop(*_arguments: object) -> None:
        raise _RootReached

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(start, False)
    except _RootReached:
        return True
    return False


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        with archive.open(name) as part:
            return part.read(most)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Refused(Why.DAMAGED, "a part cannot be unpacked") from error


def _contains(path: Path, wanted: bytes) -> bool:
    with path.open("rb") as file:
        kept = b""
        while chunk := file.read(CHUNK_BYTES):
            if wanted in kept + chunk:
                return True
            kept = chunk[-len(wanted) :]
    return False
