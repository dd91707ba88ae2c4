"""`{% load llm_text %}`: {{ article.content|model_markdown }} and {% generator_mark row %}."""

from django import template
from django.utils.safestring import SafeString

from llm.generator import Generated
from llm.rendering import as_html

register = template.Library()


@register.filter
def model_markdown(text: str | None) -> SafeString:
    """Markdown of a model, of rules or of a person as safe HTML."""
    return as_html(text or "")


@register.simple_tag
def generator_mark(row: Generated) -> SafeString:
    """The badge that says who wrote the row's text."""
    return row.generator_badge
