"""HTML pages: what they say, without what they do and where else one might go."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from etl.documents.parsing.gate.kinds import Kind
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.readers.cleaning import cleaned
from etl.documents.parsing.readers.found import Found, Report
from etl.documents.parsing.readers.texts import decoded, noted
from etl.documents.parsing.refused import Refused, Why

HEAD_BYTES = 4096
DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*[\"']([\w.:-]+)", re.I)
NOISE = (
    "script", "style", "noscript", "template", "nav", "aside", "iframe", "object", "embed", "svg", "canvas", "audio",
    "video", "form", "button", "select", "input", "textarea", "dialog", "head", "math",
)  # fmt: skip
NOISE_ROLES = ("navigation", "search", "banner", "contentinfo", "complementary")
MOST_NESTED = 500
RECURSION = 20_000  # several calls for each level
# what closes itself, or is closed by the next of its kind
_UNNESTED = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option",
}  # fmt: skip
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_OWN_TYPES = re.compile(r"<!doctype[^>\[]*\[.*?\]\s*>", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read(path: Path, limits: Limits, report: Report, kind: Kind) -> Found:
    """The title and the text. Entities that the page declares itself are not known here and stay as they are."""
    import bs4

    from etl.documents.parsing.readers.markup import markdown_of

    content = path.read_bytes()
    match = DECLARED.search(content[:HEAD_BYTES])
    declared = (match[1] or match[2]).decode("ascii", "replace") if match else None
    text, encoding = decoded(content, declared=declared)
    text = _OWN_TYPES.sub("", cleaned(text))
    _refuse_depth(text)
    sys.setrecursionlimit(RECURSION)
    soup = bs4.BeautifulSoup(text, "lxml")  # closes what pages leave open, as a browser would
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    _take_out_noise(soup)
    markdown = markdown_of(soup).strip()
    if title and soup.find(["h1"]) is None and title not in markdown[:1000]:
        markdown = f"# {title}\n\n{markdown}"
    return Found(markdown, f"beautifulsoup4 {bs4.__version__}", notes=noted(encoding))


def _refuse_depth(text: str) -> None:
    """Raise Refused for elements within elements without end: every library here takes long over them."""
    depth = 0
    for match in _TAG.finditer(text):
        if match[2].lower() not in _UNNESTED:
            depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > MOST_NESTED:
            raise Refused(Why.DAMAGED, "elements are nested too deeply")


def _take_out_noise(soup: object) -> None:
    import bs4

    assert isinstance(soup, bs4.BeautifulSoup)
    for special in soup.find_all(string=lambda each: isinstance(each, bs4.element.PreformattedString)):
        special.extract()  # comments, declarations, processing instructions
    for element in soup.find_all(True):
        if element.decomposed:
            continue
        is_page_frame = element.name in ("header", "footer") and element.find_parent(["article", "main"]) is None
        if (
            element.name in NOISE
            or (is_page_frame and element.find(["h1", "table"]) is None)
            or element.get("role") in NOISE_ROLES
            or element.has_attr("hidden")
            or element.get("aria-hidden") == "true"
            or _HIDDEN.search(str(element.get("style", "")))
        ):
            element.decompose()
