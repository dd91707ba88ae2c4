"""Sentences of a source, word for word, with the place they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm.prompts import clean
from llm.rules.scripts import IS_HAN

SHORTEST, LONGEST = 6, 400  # characters of a sentence worth quoting
MOST_SENTENCES = 5_000

# . ends one only before a space and no small letter: 3.5, e.g. and file.txt go on
ENDS = re.compile(r"(?<=[。！？!?；;…])[”’」』）)\"']*|(?<=[.])[\"')]*(?=\s+[^\sa-z])")
FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^\s{0,3}#{1,6}\s|^\s*(=+|-+)\s*$")
TABLE = re.compile(r"^\s*\|")
BULLET = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)、])\s+|^\s*>+\s?")


@dataclass(frozen=True)
class Source:
    """A text to quote from, and what it is called."""

    title: str
    text: str


@dataclass(frozen=True)
class Sentence:
    """One sentence as it stands in the source with this number, counted from 1."""

    text: str
    source: int
    place: int


def sentences_of(sources: Sequence[Source]) -> list[Sentence]:
    """All sentences worth quoting, in the order of the sources; each text once."""
    found: dict[str, Sentence] = {}
    for number, source in enumerate(sources, start=1):
        for place, text in enumerate(split(source.text)):
            if SHORTEST <= len(text) <= LONGEST and len(found) < MOST_SENTENCES:
                found.setdefault(text, Sentence(text, number, place))
    return list(found.values())


def split(text: str) -> Iterator[str]:
    """The sentences of running text; headings, tables and code are none."""
    for paragraph in _paragraphs(clean(text)):
        start = 0
        for end in ENDS.finditer(paragraph):
            if sentence := paragraph[start : end.end()].strip():
                yield sentence
            start = end.end()
        if rest := paragraph[start:].strip():
            yield rest


def _paragraphs(text: str) -> Iterator[str]:
    """Runs of lines that belong together; a list's item begins a new one."""
    lines: list[str] = []
    in_code = False
    for line in text.splitlines():
        if FENCE.match(line):
            in_code = not in_code
        is_text = not in_code and line.strip() and not FENCE.match(line)
        is_text = is_text and not HEADING.match(line) and not TABLE.match(line)
        if lines and (not is_text or BULLET.match(line)):
            yield _joined(lines)
            lines = []
        if is_text:
            lines.append(BULLET.sub("", line).strip())
    if lines:
        yield _joined(lines)


def _joined(lines: list[str]) -> str:
    """A paragraph on one line: Chinese goes on without a space."""
    text = lines[0]
    for line in lines[1:]:
        text += line if text and line and IS_HAN.match(text[-1]) and IS_HAN.match(line[0]) else f" {line}"
    return text
