"""PPTX by python-pptx: a heading per slide, its text and tables from top to bottom, its notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import visible
from etl.documents.parsing.readers.found import Found, Report, listed
from etl.documents.parsing.readers.tables import table
from etl.documents.parsing.refused import Refused, Why

MOST_GROUPS_WITHIN = 20


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """The slides in their order. Raises Refused with `needs_ocr` and the slides that are nothing but a picture."""
    import pptx

    with path.open("rb") as file:
        slides = list(pptx.Presentation(file).slides)
    if len(slides) > limits.pages:
        raise Refused(Why.TOO_MANY_PAGES, f"{len(slides)}, at most {limits.pages}")
    parts: list[str] = []
    scanned: list[str] = []
    empty: list[str] = []
    pictures = 0
    for number, slide in enumerate(slides, start=1):
        shapes = sorted(_shapes(slide.shapes), key=lambda shape: (shape.top or 0, shape.left or 0))
        mine = [shape for shape in shapes if _is_picture(shape)]
        pictures += len(mine)
        blocks = _blocks(slide, shapes, number)
        if not visible("".join(blocks[1:])) and not (slide.shapes.title and slide.shapes.title.text_frame.text.strip()):
            (scanned if mine else empty).append(str(number))
        parts += blocks
        report(number, len(slides))
    if scanned:
        raise Refused(Why.NEEDS_OCR, f"slides {listed(scanned)}")
    if len(empty) == len(slides):
        raise Refused(Why.NO_TEXT)
    notes: list[dict[str, Any]] = []
    if pictures:
        notes.append({"what": "pictures", "count": pictures})
    if empty:
        notes.append({"what": "empty-pages", "where": listed(empty)})
    return Found("\n\n".join(filter(None, parts)), f"python-pptx {pptx.__version__}", pages=len(slides), notes=notes)


def _blocks(slide: Any, shapes: list[Any], number: int) -> list[str]:
    title = slide.shapes.title
    name = " ".join(title.text_frame.text.split()) if title is not None else ""
    blocks = [f"## {name or number}"]
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False) and shape.has_table:
            blocks.append(table(_grid(shape.table)))
        elif getattr(shape, "has_chart", False) and shape.has_chart:
            blocks.append(table(_chart(shape.chart)))
        elif shape.has_text_frame:
            blocks.append(_text(shape))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        said = slide.notes_slide.notes_text_frame.text.strip()
        blocks.append("\n".join(f"> {line}" for line in said.splitlines()) if said else "")
    return blocks


def _text(shape: Any) -> str:
    """Its paragraphs; as a list when it holds several and is where a layout has bullets."""
    lines = [(paragraph.level, " ".join(paragraph.text.split())) for paragraph in shape.text_frame.paragraphs]
    lines = [(level, text) for level, text in lines if text]
    if shape.is_placeholder and len(lines) > 1:
        return "\n".join(f"{'  ' * level}- {text}" for level, text in lines)
    return "\n\n".join(text for _level, text in lines)


def _grid(source: Any) -> list[list[str]]:
    """The cells of a table, a merged one in every place that it covers."""
    rows = [[cell.text for cell in row.cells] for row in source.rows]
    for top, row in enumerate(source.rows):
        for left, cell in enumerate(row.cells):
            if cell.is_merge_origin:
                for below in range(top, min(top + cell.span_height, len(rows))):
                    for beside in range(left, min(left + cell.span_width, len(rows[below]))):
                        rows[below][beside] = cell.text
    return rows


def _chart(chart: Any) -> list[list[str]]:
    """What a chart shows: a row per category, a column per series."""
    plot = chart.plots[0]
    series = list(plot.series)
    rows = [["", *(str(each.name) for each in series)]]
    for number, category in enumerate(plot.categories):
        values = [each.values[number] if number < len(each.values) else None for each in series]
        rows.append([str(category), *("" if value is None else f"{value:.15g}" for value in values)])
    return rows


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < MOST_GROUPS_WITHIN:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _is_picture(shape: Any) -> bool:
    return str(shape.element.tag).endswith("}pic")
