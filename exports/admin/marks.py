"""The small marks that the screens of exports share."""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from desk.badges import Tone, badge
from exports.choices import Region, ReviewStatus, Sentiment, Source

STATUS_TONES: dict[str, Tone] = {
    ReviewStatus.PENDING: "neutral",
    ReviewStatus.SELECTED: "ok",
    ReviewStatus.BACKUP: "info",
    ReviewStatus.DISCARDED: "muted",
    ReviewStatus.EXPORTED: "warning",
}
SENTIMENT_TONES: dict[str, Tone] = {Sentiment.POSITIVE: "ok", Sentiment.NEGATIVE: "danger"}
BEST_SCORE = 100


def status_mark(status: str) -> SafeString:
    """One of the five decisions."""
    return badge(ReviewStatus(status).label, STATUS_TONES[ReviewStatus(status)])


def region_mark(region: str) -> SafeString:
    """Where the story happened."""
    return badge(Region(region).label, "info" if region == Region.INTERNAL else "muted")


def sentiment_mark(sentiment: str) -> SafeString:
    """How it speaks."""
    return badge(Sentiment(sentiment).label, SENTIMENT_TONES.get(sentiment, "muted"))


def source_mark(source: str) -> SafeString:
    """Which of the two lines made a brief."""
    return badge(Source(source).label, "ok" if source == Source.MANUAL else "info")


def score_mark(score: Any, *, edited: bool = False) -> SafeString:
    """A score over its bar; a star says that an editor changed it."""
    if score is None:
        return format_html('<span class="score"><b>—</b></span>')
    title = _("edited") if edited else ""
    return format_html(
        '<span class="score" title="{}"><b>{}{}</b><progress max="{}" value="{}" aria-hidden="true"></progress></span>',
        title,
        number_format(score.normalize() if score % 1 else int(score)),
        "*" if edited else "",
        BEST_SCORE,
        max(0, min(BEST_SCORE, float(score))),
    )


def moment(value: Any) -> str:
    """A time in short, in the local zone."""
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT") if value else ""
