"""Markdown as data: headings become sections, tables become records, `key: value` lines become fields."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from llm.completions import Composed
from llm.prompts import clean

NAME = "rules-structure/1"
MOST_CHARACTERS = 5_000_000
FIELD = re.compile(r"^\s*(?:[-*+]\s+)?[*_]{0,2}([^:：\n*_|]{1,60}?)[*_]{0,2}\s*(?:：|:(?=\s))[*_]{0,2}\s*(\S.*?)\s*$")

_parser = MarkdownIt("commonmark").enable("table")

Section = dict[str, Any]


def structured(text: str) -> Composed:
    """The structure as a completion's data."""
    return Composed(data=structure(text), name=NAME)


def structure(text: str) -> Section:
    """`{title, level, text, fields, tables, sections}`, nested as the headings are; values stay texts.

    Fields and tables belong to the section they stand in. ValueError for a text too long to be one document.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"The text has more than {MOST_CHARACTERS} characters.")
    root = _section("", 0)
    path = [root]
    tokens = _parser.parse(clean(text))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "heading_open":
            level = int(token.tag[1])
            while path[-1]["level"] >= level:
                path.pop()
            opened = _section(tokens[at + 1].content, level)
            path[-1]["sections"].append(opened)
            path.append(opened)
            at += 2
        elif token.type == "table_open":
            end = _end(tokens, at, "table_close")
            path[-1]["tables"].append(_records(tokens[at:end]))
            at = end
        elif token.type in ("inline", "fence", "code_block"):
            _take_text(path[-1], token)
        at += 1
    return root


def _section(title: str, level: int) -> Section:
    return {"title": title, "level": level, "text": "", "fields": {}, "tables": [], "sections": []}


def _take_text(section: Section, token: Token) -> None:
    section["text"] += ("\n\n" if section["text"] else "") + token.content.rstrip("\n")
    if token.type == "inline":
        for line in token.content.splitlines():
            if field := FIELD.match(line):
                section["fields"].setdefault(field[1].strip(), field[2].rstrip("*_ "))


def _records(tokens: Sequence[Token]) -> list[dict[str, str]]:
    """A table's rows as objects; a heading that is missing or comes twice gets its number."""
    rows: list[list[str]] = []
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(tokens[at + 1].content)
    if not rows:
        return []
    names: list[str] = []
    for number, heading in enumerate(rows[0], start=1):
        name = heading or f"column {number}"
        names.append(f"{name} {number}" if name in names else name)
    return [dict(zip(names, [*row, *[""] * len(names)], strict=False)) for row in rows[1:]]


def _end(tokens: Sequence[Token], at: int, kind: str) -> int:
    return next(number for number in range(at, len(tokens)) if tokens[number].type == kind)


def all_sections(section: Section) -> Iterable[Section]:
    """The section and everything below it, in the order of the text."""
    waiting = [section]
    while waiting:
        current = waiting.pop(0)
        yield current
        waiting[:0] = current["sections"]


def plain(name: str) -> str:
    """Two spellings of one name: case, width, spaces, dashes and underscores do not matter."""
    return re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name).casefold())
