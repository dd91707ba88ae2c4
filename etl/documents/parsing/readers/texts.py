"""Plain text and Markdown, in whatever encoding."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.found import Found, Report

SAMPLE_BYTES = 200_000
# the share of characters that lie among the 3,755 most common Chinese ones, which GB 2312 puts first
MOSTLY_CHINESE = 0.6
ENOUGH_TO_TELL, SECOND_HALF = 20, 0.1
WESTERN = "cp1252"
LATIN = ("cp1250", "cp1254", "cp1257", "iso8859_2", "iso8859_9", "iso8859_15", "latin_1", "mac_latin2", "mac_roman")
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """The text as it is."""
    text, encoding = decoded(path.read_bytes())
    return Found(text, "text", notes=noted(encoding))


def noted(encoding: str) -> list[dict[str, Any]]:
    """A note when the encoding was guessed."""
    return [] if encoding.startswith(("utf", "ascii")) else [{"what": "encoding", "encoding": encoding}]


def decoded(content: bytes, *, declared: str | None = None) -> tuple[str, str]:
    """The text and its encoding: by its mark, as UTF-8, as declared, as Chinese, else as it most likely is.

    UTF-8 comes before what a page declares, for text that is not UTF-8 practically never decodes as it.
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), encoding.removesuffix("-sig")
    for encoding in filter(None, ("utf-8", _known(declared))):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    encoding = "gb18030" if _looks_chinese(content[:SAMPLE_BYTES]) else _guessed(content[:SAMPLE_BYTES])
    return content.decode(encoding, errors="replace"), encoding


def _known(name: str | None) -> str | None:
    """A declared encoding under the name of the one that has it all."""
    if not name:
        return None
    plain = name.strip().lower().replace("_", "-")
    if plain in ("gb2312", "gbk", "x-gbk", "cp936"):
        return "gb18030"
    if plain in ("iso-8859-1", "latin1", "latin-1", "ascii", "us-ascii"):
        return "cp1252"  # as browsers have it
    try:
        return codecs.lookup(plain).name
    except LookupError:
        return None


def _looks_chinese(sample: bytes) -> bool:
    """Whether it decodes as GB 18030 into mostly common characters; guessers need more text than a short list has."""
    try:
        text = sample.decode("gb18030")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # else the sample was cut within a character
            return False
        text = sample[: error.start].decode("gb18030")
    wide = [each.encode("gb18030") for each in text if ord(each) > 127]
    han = [pair for pair in wide if len(pair) == 2 and pair[0] >= 0xB0]
    common = [pair for pair in han if pair[0] <= 0xD7 and pair[1] >= 0xA1]
    marks = [pair for pair in wide if len(pair) == 2 and 0xA1 <= pair[0] <= 0xA9]
    if len(han) >= ENOUGH_TO_TELL and sum(1 for pair in han if pair[0] >= 0xC9) < SECOND_HALF * len(han):
        return False  # in Korean's own encoding, its letters are where the first half of common Chinese is
    return bool(common) and len(common) + len(marks) >= MOSTLY_CHINESE * len(wide) and len(common) >= 0.8 * len(han)


def _guessed(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    if best is None or WESTERN in best.could_be_from_charset or _is_as_good(WESTERN, best, sample):
        return WESTERN
    return str(best.encoding)


def _is_as_good(encoding: str, best: Any, sample: bytes) -> bool:
    """Whether an encoding of the West reads a text of Latin letters without more oddities than the best guess."""
    from charset_normalizer import from_bytes

    if best.encoding not in LATIN:
        return False
    match = from_bytes(sample, cp_isolation=[encoding]).best()
    return match is not None and match.chaos <= best.chaos
