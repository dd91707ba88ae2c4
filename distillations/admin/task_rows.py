"""Slot by slot what a task takes and makes, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.badges import Tone, badge
from distillations.admin.links import deleted, link_to, named
from distillations.choices import SlotStatus
from distillations.models import Distillation, GeneratedArticle, GenerationSlot, GenerationTask

TONES: dict[str, Tone] = {
    SlotStatus.GENERATING: "info",
    SlotStatus.DONE: "ok",
    SlotStatus.FAILED: "danger",
    SlotStatus.RELEASED: "muted",
}


@dataclass(frozen=True)
class Row:
    """One slot."""

    position: int
    keyword: SafeString | str
    question: SafeString | str
    status: SafeString
    error_label: str
    error_text: str
    article: SafeString | str
    generator: SafeString | str


def rows_of(task: GenerationTask) -> list[Row]:
    """The slots of a task in their order; two queries however many there are."""
    slots = GenerationSlot.objects.filter(task=task).select_related("distillation", "article")
    return [_row(slot) for slot in slots.defer("article__content", "article__requirements").order_by("position")]


def _row(slot: Any) -> Row:
    return Row(
        position=slot.position,
        keyword=_keyword(slot),
        question=_question(slot),
        status=badge(slot.get_status_display(), TONES.get(slot.status, "neutral")),
        error_label=str(slot.error_label) if slot.error else "",
        error_text=slot.error_text,
        article=_article(slot),
        generator=slot.article.generator_badge if slot.article else "",
    )


def _keyword(slot: Any) -> SafeString | str:
    if slot.distillation is None:
        return named(slot.keyword, is_deleted=True)
    return link_to(Distillation, slot.distillation_id, slot.distillation.keyword)


def _question(slot: Any) -> SafeString | str:
    return format_html("{}{}", slot.question, deleted()) if slot.topic_id is None else slot.question


def _article(slot: Any) -> SafeString | str:
    if slot.article is not None:
        return link_to(GeneratedArticle, slot.article_id, slot.article.title)
    return _("Article deleted") if slot.status == SlotStatus.DONE else ""
