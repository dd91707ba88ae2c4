"""The pages of a PDF put together: what its Markdown lost at the edges of pages and lines is found again.

liteparse knows tables, columns and headings. It joins the lines of a paragraph with blanks, also where each line is a
fact of its own; it ends a table with its page; and it can only take out all that repeats on pages or nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_NOT_WORDS = re.compile(r"^(?:-{3,}|!\[[^\]]*\]\([^)]*\)|`{3}\w*\s*`{3})$")
_SQUEEZED = re.compile(r"[\s*_\\]+")
_NUMBERED = re.compile(
    r"\bpage\s*\d+(?:\s*(?:of|/)\s*\d+)?\b|第\s*\d+\s*页(?:\s*[,，/]?\s*共\s*\d+\s*页)?|\b\d+\s*/\s*\d+\b",
    re.IGNORECASE,
)
_BAR = re.compile(r"(?<!\\)\|")
_FIGURE = re.compile(r"\d")
_FACT = re.compile(r"^[^：:|]{1,40}?(?:：|:(?=\s)|:$)\s*\S")
_ITEM = re.compile(r"^(?:\d{1,3}[.)、]|[-•·●▪○]|[（(][一二三四五六七八九十\d]{1,3}[）)])\s*\S")
_HEADING = re.compile(r"^#{1,6} ")
_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BETWEEN_WIDE = re.compile(rf"(?<={_WIDE}) (?={_WIDE})")
EDGE_BLOCKS = 2  # a running head or foot is among so many blocks from the edge of its page
FEWEST_REPEATS = 3


@dataclass
class PageText:
    """A page as Markdown and, for where its lines end, as plain text."""

    markdown: str
    plain: str


def joined(pages: list[PageText]) -> str:
    """The document as one Markdown text."""
    blocks = [_blocks(page) for page in pages]
    _keep_running_heads_once(blocks)
    whole: list[str] = []
    for page in blocks:
        for number, block in enumerate(page):
            if number == 0 and whole and _goes_on(whole[-1], block):
                whole[-1] = _with_rest(whole[-1], block)
            else:
                whole.append(block)
    return "\n\n".join(whole)


def _blocks(page: PageText) -> list[str]:
    plain = [" ".join(line.split()) for line in page.plain.splitlines() if line.strip()]
    lines = [(line, squeezed) for line in plain if (squeezed := _squeezed(line))]
    found = [block.strip("\n") for block in re.split(r"\n{2,}", page.markdown.replace("```text\n\n```", ""))]
    return [_relined(block, lines) for block in found if block and not _NOT_WORDS.match(block)]


# --- lines of a paragraph ---------------------------------------------------------------------------------------


def _relined(block: str, lines: list[tuple[str, str]]) -> str:
    """A paragraph with the line ends that mean something: between facts (`name: value`) and between items."""
    if block.startswith(("|", "```", ">")) or "\n" in block:
        return block
    mine = _lines_of(_HEADING.sub("", block), lines)
    if len(mine) < 2:
        return block
    if all(_FACT.match(line) for line in mine):
        return "\n".join(mine)
    if not _HEADING.match(block) and _ITEM.match(mine[0]) and sum(1 for line in mine if _ITEM.match(line)) > 1:
        items: list[str] = []
        for line in mine:
            if _ITEM.match(line):
                items.append(line)
            else:
                items[-1] += f" {line}"
        return "\n".join(map(_closed_up, items))
    return _closed_up(block)


def _lines_of(block: str, lines: list[tuple[str, str]]) -> list[str]:
    """The lines of the page that make up this paragraph; none when they stand elsewhere, as in columns."""
    wanted = _squeezed(block)
    for start, (_line, first) in enumerate(lines):
        if not wanted.startswith(first):
            continue
        length = 0
        for end in range(start, len(lines)):
            if not wanted.startswith(lines[end][1], length):
                break
            length += len(lines[end][1])
            if length == len(wanted):
                return [line for line, _squeezed in lines[start : end + 1]]
    return []


def _squeezed(text: str) -> str:
    return _SQUEEZED.sub("", text)


def _closed_up(text: str) -> str:
    """Chinese has no blanks where a line ended."""
    return _BETWEEN_WIDE.sub("", text)


# --- what repeats on pages --------------------------------------------------------------------------------------


def _keep_running_heads_once(pages: list[list[str]]) -> None:
    """Take out page numbers, and of a head or foot that most pages have all but the first. Never a table's row."""
    if len(pages) < FEWEST_REPEATS:
        return
    edges = [
        {at: _without_numbers(page[at], number) for at in _edges(page)} for number, page in enumerate(pages, start=1)
    ]
    counts = Counter(text for edge in edges for text in set(edge.values()))
    least = max(FEWEST_REPEATS, len(pages) // 2)
    seen: set[str] = set()
    for page, edge in zip(pages, edges, strict=True):
        for at, text in sorted(edge.items(), reverse=True):
            if counts[text] >= least and (text.strip("-–—·.|（）() ") == "#" or text in seen):
                del page[at]
        seen |= set(edge.values())


def _edges(page: list[str]) -> set[int]:
    """Where heads and feet may stand. A page with little on it is all edge, so half of it at most."""
    most = min(EDGE_BLOCKS, len(page) // 2)
    places = {*range(most), *range(len(page) - most, len(page))}
    return {at for at in places if not page[at].startswith("|") and len(page[at]) < 200}


def _without_numbers(text: str, page: int) -> str:
    """A text without the number of its page, where it is clear that it is one: any other makes it another text."""
    plain = _HEADING.sub("", text).strip("*_ ")
    if plain.strip("-–—·. ") == str(page):
        return "#"
    return _NUMBERED.sub("#", plain)


# --- what goes over the edge ------------------------------------------------------------------------------------


def _goes_on(before: str, after: str) -> bool:
    """Whether a block goes on with the first of the next page: a table as wide, a sentence without its end."""
    if before.startswith("|") and after.startswith("|"):
        return _width(before) == _width(after) and (_head(before) == _head(after) or not _has_own_head(after))
    if before.startswith(("|", "#", "`")) or after.startswith(("|", "#", "`")) or "\n" in before or "\n" in after:
        return False
    if _FACT.match(after) or _ITEM.match(after):
        return False
    return bool(re.search(r"[\w,，、;；]$", before)) and bool(re.match(rf"[a-z]|{_WIDE}", after)) and len(before) > 40


def _with_rest(before: str, after: str) -> str:
    if not before.startswith("|"):
        return _closed_up(f"{before} {after}")
    rows = after.split("\n")[2:]
    if _head(after) != _head(before):
        rows.insert(0, _head(after))  # no head, but a row that stands where one would
    return "\n".join([before, *rows])


def _head(table: str) -> str:
    return table.split("\n", 1)[0]


def _width(table: str) -> int:
    return len(_cells(_head(table)))


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in _BAR.split(row.strip().removeprefix("|").removesuffix("|"))]


def _has_own_head(table: str) -> bool:
    """Whether the first row names what is below it: words above a column of figures."""
    first = _cells(_head(table))
    rows = [_cells(row) for row in table.split("\n")[2:]]
    return any(
        name and not _FIGURE.search(name) and all(_FIGURE.search(row[at]) for row in rows if at < len(row) and row[at])
        for at, name in enumerate(first)
        if any(at < len(row) and row[at] for row in rows)
    )
