"""How a brief looks, and which number it bears."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from exports.choices import Numbering, Region, Sentiment
from runs.querysets import ClockTimestamp

HEADER_FIELDS = ("tag", "date", "year", "month", "day", "period", "total_period", "count")
HEADING_FIELDS = ("heading", "count")
ENTRY_FIELDS = ("mark", "title", "summary", "source", "url", "date", "score", "importance", "keywords")


class BriefTemplate(models.Model):
    """The layout of a brief: a header, sections, and how one entry is written. Texts hold {fields}."""

    slug = models.SlugField(_("name"), unique=True)
    title = models.CharField(_("title"), max_length=200)
    header = models.TextField(
        _("header"),
        blank=True,
        help_text=_("Fields: {tag} {date} {year} {month} {day} {period} {total_period} {count}."),
    )
    section_heading = models.TextField(
        _("line above a section"), default="{heading}", help_text=_("Fields: {heading} {count}.")
    )
    entry = models.TextField(
        _("entry"),
        default="{mark}{title}\n{summary}",
        help_text=_("Fields: {mark} {title} {summary} {source} {url} {date} {score} {importance} {keywords}."),
    )
    cluster_separator = models.TextField(
        _("line between two stories"),
        blank=True,
        help_text=_("Between groups of entries about different stories; empty: none."),
    )
    is_markdown = models.BooleanField(
        _("Markdown"), default=False, help_text=_("Whether characters with a meaning in Markdown are escaped.")
    )
    is_numbered = models.BooleanField(_("has issue numbers"), default=False)
    issues_per_day = models.PositiveSmallIntegerField(
        _("issues per day"), default=1, help_text=_("How far the numbers go on from one day to the next.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        verbose_name = _("brief template")
        verbose_name_plural = _("brief templates")
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(issues_per_day__gte=1),
                name="template_has_an_issue_a_day_at_least",
                violation_error_message=_("There is at least one issue a day."),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class TemplateSection(models.Model):
    """A part of a brief: the articles of one bucket (region, sentiment), under a heading."""

    template = models.ForeignKey(
        BriefTemplate, on_delete=models.CASCADE, related_name="sections", verbose_name=_("template")
    )
    position = models.PositiveSmallIntegerField(_("position"))
    section = models.CharField(
        _("section"), max_length=64, help_text=_("Stored with each item; an article may name it as its own.")
    )
    region = models.CharField(
        _("region"), max_length=8, choices=[(each.value, each.label) for each in (Region.INTERNAL, Region.EXTERNAL)]
    )
    sentiment = models.CharField(
        _("sentiment"),
        max_length=8,
        choices=[(each.value, each.label) for each in (Sentiment.POSITIVE, Sentiment.NEGATIVE)],
    )
    heading = models.CharField(_("heading"), max_length=200)
    marker = models.CharField(_("marker"), max_length=16, blank=True)
    numbering = models.CharField(_("numbering"), max_length=8, choices=Numbering, default=Numbering.NONE)

    class Meta:
        verbose_name = _("section")
        verbose_name_plural = _("sections")
        ordering: ClassVar = ["template_id", "position", "id"]
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["template", "region", "sentiment"],
                name="one_section_per_bucket_of_a_template",
                violation_error_message=_("Another section of this template prints this region and sentiment."),
            ),
            models.UniqueConstraint(
                fields=["template", "section"],
                name="one_section_per_name_of_a_template",
                violation_error_message=_("Another section of this template has this name."),
            ),
            models.CheckConstraint(
                condition=Q(region__in=[Region.INTERNAL, Region.EXTERNAL]),
                name="section_prints_a_known_region",
                violation_error_message=_("A section prints internal or external articles."),
            ),
            models.CheckConstraint(
                condition=Q(sentiment__in=[Sentiment.POSITIVE, Sentiment.NEGATIVE]),
                name="section_prints_a_known_sentiment",
                violation_error_message=_("A section prints positive or negative articles."),
            ),
        ]

    def __str__(self) -> str:
        return self.heading


class IssueCounter(models.Model):
    """The numbers of the issue of one date; what another export of that date bears too."""

    template = models.CharField(_("template"), max_length=50)  # text: history outlives the template
    report_date = models.DateField(_("date"))
    period = models.PositiveIntegerField(_("issue"))
    total_period = models.PositiveIntegerField(_("issue in all"))
    updated_at = models.DateTimeField(_("changed at"), db_default=ClockTimestamp(), editable=False)

    class Meta:
        verbose_name = _("issue number")
        verbose_name_plural = _("issue numbers")
        ordering: ClassVar = ["-report_date", "template"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["template", "report_date"],
                name="one_issue_number_per_template_and_date",
                violation_error_message=_("This template has numbers for this date already."),
            ),
            models.CheckConstraint(
                condition=Q(period__gte=1, total_period__gte=1),
                name="issue_numbers_count_from_one",
                violation_error_message=_("Issue numbers are positive."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.report_date}: {self.period} ({self.total_period})"

    def as_fields(self) -> dict[str, Any]:
        """The numbers as a header names them."""
        return {"period": self.period, "total_period": self.total_period}
