"""Zip archives that unpack to no more than they say, nowhere else, and to a bounded amount.

The readers open office files with `zipfile`, which never unpacks more of an entry than its directory declares. So the
declared sizes bound the readers; that they are true, and that no two entries share bytes, is found out here.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etl.documents.parsing.limits import Limits
from etl.documents.parsing.refused import Refused, Why

MAGIC = b"PK\x03\x04"
OTHER_MAGIC = (b"PK\x05\x06", b"PK\x07\x08")
HARMLESS_BYTES = 1_000_000  # what is smaller than this is no bomb, however well it was packed
CHUNK_BYTES = 262_144
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
ENCRYPTED_FLAG = 0x1
ARCHIVES_INSIDE = (MAGIC, b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00")


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, after everything about it was found harmless. Raises Refused."""
    with path.open("rb") as file:
        _count_before_reading(file, limits)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError, OSError) as error:
            raise Refused(Why.DAMAGED, "the archive has no directory, or a broken one") from error
        with archive:
            entries = archive.infolist()
            _check_names(entries)
            _check_sizes(entries, path.stat().st_size, limits)
            _check_places(entries, archive.start_dir)
            for entry in entries:
                _count(file, entry)
            yield archive


def _count_before_reading(file: IO[bytes], limits: Limits) -> None:
    """`zipfile` makes an object of every entry when it opens an archive: millions of them must not get that far."""
    size = file.seek(0, 2)
    tail_start = max(0, size - END_OF_DIRECTORY.size - 65_535)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END_OF_DIRECTORY.size:
        raise Refused(Why.DAMAGED, "the end of the archive is missing")
    _magic, disk, _start_disk, _here, count, directory_bytes, _offset, comment = END_OF_DIRECTORY.unpack_from(tail, at)
    if disk not in (0, 0xFFFF):
        raise Refused(Why.DAMAGED, "one part of several")
    if tail_start + at + END_OF_DIRECTORY.size + comment != size:
        raise Refused(Why.UNSAFE_ARCHIVE, "something follows the end of the archive")
    # the directory says twice how many there are: by count and by length, each entry taking at least 46 bytes
    if count > limits.entries or directory_bytes > limits.entries * 1024:
        raise Refused(Why.UNSAFE_ARCHIVE, f"more than {limits.entries} entries")


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    seen = set()
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        shown = name[:80].encode("ascii", "backslashreplace").decode()
        if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0]:
            raise Refused(Why.UNSAFE_ARCHIVE, f"an entry leads out of the archive: {shown}")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Refused(Why.UNSAFE_ARCHIVE, f"an entry is a link: {shown}")
        if name.lower() in seen:
            raise Refused(Why.UNSAFE_ARCHIVE, f"two entries have one name: {shown}")
        seen.add(name.lower())
        if entry.flag_bits & ENCRYPTED_FLAG:
            raise Refused(Why.ENCRYPTED, shown)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(Why.UNSAFE_ARCHIVE, f"an entry is packed in an uncommon way: {shown}")


def _check_sizes(entries: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.unpacked_bytes:
        raise Refused(Why.UNSAFE_ARCHIVE, f"unpacks to {unpacked} bytes, at most {limits.unpacked_bytes}")
    if unpacked > max(packed * limits.ratio, HARMLESS_BYTES):
        raise Refused(Why.UNSAFE_ARCHIVE, f"unpacks to more than {limits.ratio} times its size")
    for entry in entries:
        if entry.file_size > max(entry.compress_size * limits.ratio, HARMLESS_BYTES):
            raise Refused(Why.UNSAFE_ARCHIVE, f"an entry unpacks to more than {limits.ratio} times its size")


def _check_places(entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Entries that share bytes make a bomb without nesting."""
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            raise Refused(Why.UNSAFE_ARCHIVE, "entries overlap")
        end = entry.header_offset + LOCAL_HEADER.size + entry.compress_size
    if end > directory:
        raise Refused(Why.DAMAGED, "an entry reaches beyond the archive")
    if entries and min(entry.header_offset for entry in entries) != 0:
        raise Refused(Why.UNSAFE_ARCHIVE, "something stands before the archive")


def _count(file: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """Unpack an entry into nothing, to see that it is as long as it says."""
    file.seek(entry.header_offset)
    header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(MAGIC):
        raise Refused(Why.DAMAGED, "an entry is missing")
    *_rest, name_bytes, extra_bytes = LOCAL_HEADER.unpack(header)
    file.seek(name_bytes + extra_bytes, 1)
    if entry.compress_type == zipfile.ZIP_STORED:
        if entry.compress_size != entry.file_size:
            raise Refused(Why.UNSAFE_ARCHIVE, "an entry is not as long as it says")
        _refuse_archive_inside(entry, file.read(8))
        return
    unpacked = 0
    for chunk in _inflated(file, entry.compress_size):
        if unpacked == 0:
            _refuse_archive_inside(entry, chunk)
        unpacked += len(chunk)
        if unpacked > entry.file_size:
            raise Refused(Why.UNSAFE_ARCHIVE, "an entry unpacks to more than it says")
    if unpacked != entry.file_size:
        raise Refused(Why.DAMAGED, "an entry is cut off")


def _inflated(file: IO[bytes], packed: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    rest = b""
    while not inflater.eof:
        if not rest:
            rest = file.read(min(packed, CHUNK_BYTES))
            packed -= len(rest)
            if not rest:
                return
        try:
            chunk = inflater.decompress(rest, CHUNK_BYTES)
        except zlib.error as error:
            raise Refused(Why.DAMAGED, "an entry cannot be unpacked") from error
        rest = inflater.unconsumed_tail
        if chunk:
            yield chunk


def _refuse_archive_inside(entry: zipfile.ZipInfo, start: bytes) -> None:
    """A workbook behind a chart is an archive in an archive that nobody opens; anything else is a trick."""
    if not start.startswith(ARCHIVES_INSIDE):
        return
    folders = entry.filename.lower().split("/")
    if "embeddings" not in folders and "media" not in folders:
        raise Refused(Why.UNSAFE_ARCHIVE, "an archive lies within the archive")
