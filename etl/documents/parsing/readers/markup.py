"""HTML, clean already, as Markdown with tables that are right."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from markdownify import ATX, MarkdownConverter

from etl.documents.parsing.readers.tables import table, with_one_head

MOST_CELLS_MERGED = 1000
_SPACES = re.compile(r"[ \t\u00a0]*\n\s*|[ \t]{2,}")


def markdown_of(soup: BeautifulSoup) -> str:
    """The document as Markdown; pictures are left out, links keep their text."""
    return str(_Converter(heading_style=ATX, bullets="-", strip=["a", "img"], escape_misc=False).convert_soup(soup))


class _Converter(MarkdownConverter):
    """markdownify, but for tables: its own know no merged rows and let a cell break the line."""

    def convert_table(self, el: Any, text: str, parent_tags: Any) -> str:
        rows, head_rows = _grid(el)
        if not rows:
            return ""
        if "_inline" in parent_tags or el.find_parent(["td", "th"]) is not None:
            return " " + "; ".join(", ".join(filter(None, row)) for row in rows) + " "
        caption = el.find("caption", recursive=False)
        title = f"{caption.get_text(' ', strip=True)}\n\n" if caption is not None else ""
        width = max(len(row) for row in rows)
        if width == 1:  # a frame, not a table
            return "\n\n" + "\n\n".join(row[0].replace("<br>", "\n") for row in rows if row[0]) + "\n\n"
        return f"\n\n{title}{table(with_one_head(rows, head_rows - 1))}\n\n"

    def convert_caption(self, el: Any, text: str, parent_tags: Any) -> str:
        return ""


def _grid(element: Tag) -> tuple[list[list[str]], int]:
    """The cells of a table, a merged one in every place that it covers; and how many rows are its head."""
    places: dict[tuple[int, int], str] = {}
    own_rows = [row for row in element.find_all("tr") if row.find_parent("table") is element]
    head_rows = 0
    for number, row in enumerate(own_rows):
        cells = [cell for cell in row.find_all(["td", "th"]) if cell.find_parent("tr") is row]
        if number == head_rows and _is_head(row, cells, has_more=number + 1 < len(own_rows)):
            head_rows += 1
        column = 0
        for cell in cells:
            while (number, column) in places:
                column += 1
            text = _text(cell)
            across, down = _span(cell, "colspan"), _span(cell, "rowspan")
            for below in range(min(down, len(own_rows) - number)):
                for beside in range(across):
                    places.setdefault((number + below, column + beside), text)
            column += across
    width = max((column for _row, column in places), default=-1) + 1
    return [[places.get((row, column), "") for column in range(width)] for row in range(len(own_rows))], head_rows


def _is_head(row: Tag, cells: list[Tag], *, has_more: bool) -> bool:
    parent = row.parent
    in_head = parent is not None and parent.name == "thead"
    return has_more and (in_head or (bool(cells) and all(cell.name == "th" for cell in cells)))


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1")).strip()
    return max(1, min(int(value), MOST_CELLS_MERGED)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _text(cell: Tag) -> str:
    """The words of a cell, its paragraphs, list items and breaks on lines of their own."""
    for line_break in cell.find_all("br"):
        line_break.replace_with("\n")
    blocks = cell.find_all(["p", "li", "div", "tr"])
    for block in blocks:
        block.append("\n")
    return _SPACES.sub(lambda found: "\n" if "\n" in found[0] else " ", cell.get_text()).strip()
