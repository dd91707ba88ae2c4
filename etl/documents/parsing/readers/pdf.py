"""PDF by liteparse, without recognition of pictures: that would fetch its data from the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import visible
from etl.documents.parsing.readers.found import Found, Report, listed
from etl.documents.parsing.readers.pages import PageText, joined
from etl.documents.parsing.refused import Refused, Why

PAGES_AT_ONCE = 100
LEAST_ON_A_PAGE = 20  # visible characters, on average; less is a scan with a page number
_PICTURE = re.compile(r"!\[[^\]]*\]\(img_[^)]*\)")


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """The text and tables. Raises Refused with `needs_ocr` and the pages where only a picture is to be seen."""
    import liteparse

    parser = liteparse.LiteParse(
        ocr_enabled=False, output_format="markdown", quiet=True, include_complexity=True, num_workers=1,
        keep_headers_footers=True,  # else it takes out the head of a table that every page repeats
        max_pages=limits.pages,
    )  # fmt: skip
    pages: list[_Page] = []
    total = 0
    try:
        # in batches, for of each page it makes a hundred times what the page says
        for batch in parser.parse_batches(path.read_bytes(), PAGES_AT_ONCE):  # a path would be judged by its extension
            total = batch.total_pages
            if total > limits.pages:
                raise Refused(Why.TOO_MANY_PAGES, f"{total}, at most {limits.pages}")
            if batch.result.page_errors:
                broken = [str(each.page_num) for each in batch.result.page_errors]
                raise Refused(Why.DAMAGED, f"pages {listed(broken)}")
            pages += [_Page(each) for each in batch.result.pages]
            report(batch.end_page, total)
    except liteparse.ParseError as error:
        raise _reason(error) from error
    notes = _require_text(pages)
    pictures = sum(page.pictures for page in pages)
    if pictures:
        notes.append({"what": "pictures", "count": pictures})
    markdown = joined([page.text for page in pages])
    return Found(markdown, f"liteparse {liteparse.__version__}", pages=total, notes=notes)


class _Page:
    """What is kept of a page."""

    def __init__(self, page: Any) -> None:
        self.number: int = page.page_num
        self.text = PageText(page.markdown, page.text)
        self.letters = visible(page.text)
        self.pictures = len(_PICTURE.findall(page.markdown))
        self.is_picture = not self.letters and _has_picture(page)


def _require_text(pages: list[_Page]) -> list[dict[str, Any]]:
    """Refuse scanned pages; note pages that are simply empty."""
    if not pages:
        raise Refused(Why.DAMAGED, "no pages")
    scanned = [page for page in pages if page.is_picture]
    if not scanned and sum(page.letters for page in pages) < LEAST_ON_A_PAGE * len(pages):
        scanned = [page for page in pages if page.letters < LEAST_ON_A_PAGE]
    if scanned:
        raise Refused(Why.NEEDS_OCR, f"pages {listed([str(page.number) for page in scanned])}")
    empty = [str(page.number) for page in pages if not page.letters]
    return [{"what": "empty-pages", "where": listed(empty)}] if empty else []


def _has_picture(page: Any) -> bool:
    found = page.complexity
    return bool(found) and (found.image_block_count > 0 or found.full_page_image or found.image_coverage > 0)


def _reason(error: Exception) -> Exception:
    """Why it could not be parsed; out of memory is not the document's fault, as far as anybody knows."""
    message = str(error)
    if isinstance(error.__cause__ or error.__context__, MemoryError) or "memory" in message.lower():
        return MemoryError(message)
    if "password" in message.lower() or "encrypt" in message.lower():
        return Refused(Why.ENCRYPTED)
    return Refused(Why.DAMAGED, message[:200])
