"""The zip in which the hosted MinerU hands out what it read: one text is taken, nothing is unpacked."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.mineru.contract import MOST_BYTES_OF_TEXT
from etl.documents.mineru.troubles import failed

MOST_MEMBERS = 20_000  # a long document with many pictures has thousands
MOST_BYTES_OF_DIRECTORY = 4_000_000  # the whole of it is read into memory
PREFERRED = "full.md"

END = b"PK\x05\x06"
END_FORMAT = "<4s4H2LH"
LONGEST_COMMENT = 65_535


def most_bytes() -> int:
    """Of an archive: it holds the document once more, and its pictures."""
    return 3 * int(settings.ETL_MAX_BYTES)


def markdown_of(file: BinaryIO) -> str:
    """The Markdown in the archive. Raises Unreadable for one that is broken, unsafe or without."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            chosen = _chosen(archive.infolist())
            with archive.open(chosen) as member:
                text = member.read(MOST_BYTES_OF_TEXT + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise failed(_("MinerU's archive is broken.")) from error
    if len(text) > MOST_BYTES_OF_TEXT:
        raise _unsafe()
    return text.decode("utf-8-sig", "replace")


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory too long to be read at all; what it really holds is looked at after."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_COMMENT - struct.calcsize(END_FORMAT)))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < struct.calcsize(END_FORMAT):
        raise failed(_("MinerU's archive is broken."))
    *_others, length, _offset, _comment = struct.unpack_from(END_FORMAT, tail, at)
    if length > MOST_BYTES_OF_DIRECTORY:  # so is one in the long format, which says 2^32 - 1 here
        raise _unsafe()


def _chosen(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """The member that is the text; every member has to be harmless."""
    if len(members) > MOST_MEMBERS:
        raise _unsafe()
    for member in members:
        if _leads_out(member.filename) or member.file_size > settings.ETL_MAX_RATIO * max(member.compress_size, 1_000):
            raise _unsafe()
    texts = [each for each in members if not each.is_dir() and PurePosixPath(each.filename).suffix.lower() == ".md"]
    if not texts:
        raise failed(_("MinerU's archive holds no Markdown."))
    return min(texts, key=_preference)


def _preference(member: zipfile.ZipInfo) -> tuple[bool, int, str]:
    path = PurePosixPath(member.filename)
    return path.name != PREFERRED, len(path.parts), member.filename


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1])


def _unsafe() -> Exception:
    return failed(_("MinerU's archive is unsafe: it unpacks to too much, or to where it should not."))
