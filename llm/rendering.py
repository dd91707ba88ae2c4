"""Model text as people see it: Markdown, and nothing in it that could act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

MOST_CHARACTERS = 500_000
TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol",
    "li", "table", "thead", "tbody", "tr", "th", "td", "a",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}


def _picture_as_words(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, environment: Any) -> str:
    # a picture from anywhere would tell its server who reads the text
    return escape(tokens[at].content)


_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_parser.add_render_rule("image", _picture_as_words)


def as_html(markdown: str) -> SafeString:
    """HTML for a page of ours: no raw HTML, no script, no style, no picture, links that tell nobody where from.

    A text beyond all measure is shown as plain text.
    """
    if len(markdown) > MOST_CHARACTERS:
        return mark_safe(f"<pre>{escape(markdown)}</pre>")  # noqa: S308 - escaped
    html = _parser.render(markdown)
    cleaned = nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel="noopener noreferrer nofollow ugc"
    )
    return mark_safe(cleaned)  # noqa: S308 - what nh3 lets through
