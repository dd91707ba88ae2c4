"""Briefs of both tables: what was printed, where it went, and what changed since the one before. Never edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from desk.admin import ReadOnlyAdmin
from desk.badges import Tone, badge, number
from desk.object_actions import Context, object_action
from exports import downloads, files
from exports.admin import marks
from exports.archive import Batch, source_of
from exports.choices import NotPrinted
from exports.diffs import lines_between
from exports.models import BriefBatch, BriefTemplate, ExportRun, ManualExportBatch, ManualReview
from exports.printing import sha256_of

ITEMS_SHOWN = 500
RUNS_SHOWN = 30


@dataclass(frozen=True)
class FileState:
    """What became of the file a brief was asked for under."""

    path: str
    label: str
    tone: Tone
    can_be_written: bool

    @property
    def mark(self) -> SafeString:
        return badge(self.label, self.tone)


@dataclass(frozen=True)
class ShownItem:
    """An article of a brief, as it was then, and where it is looked at now."""

    item: Any
    title: str
    source: str
    url: str
    section: str


class BatchAdmin(ReadOnlyAdmin):
    """What the two tables share."""

    list_filter: ClassVar[Any] = ("report_date", "template")
    search_fields = ("report_tag",)
    search_help_text = gettext_lazy("A part of the tag.")
    ordering = ("-report_date", "-sequence_no")
    date_hierarchy = None
    object_actions: ClassVar = ["write_again"]
    change_form_template = "exports/batch.html"
    change_list_template = "exports/batches.html"
    list_display_links = ("report_tag",)
    fields = ("report_tag", "report_date", "number_of_day", "template_shown", "made", "created_at", "updated_at")
    readonly_fields = ("number_of_day", "template_shown", "made")

    def get_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            full = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
            return path(route, self.admin_site.admin_view(require_safe(view)), name=full)

        return [mine("<int:pk>/brief.<str:file_format>", self.file_view, "file"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        batches: Any = super().get_queryset(request)
        return batches.with_item_count()

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        shelves = [
            (model._meta.verbose_name_plural, reverse(f"admin:exports_{model._meta.model_name}_changelist"), model)
            for model in (ManualExportBatch, BriefBatch)
        ]
        context = {"shelves": [(name, url, model is self.model) for name, url, model in shelves]}
        return super().changelist_view(request, context | (extra_context or {}))

    # --- the page --------------------------------------------------------------------------------

    def page_context(self, batch: Batch) -> Context:
        before = previous_of(batch)
        return {
            "title": _("Brief %(tag)s") % {"tag": batch.report_tag},
            "text": batch.content,
            "items": list(shown_items(batch)),
            "items_hidden": max(0, batch.item_count - ITEMS_SHOWN),  # type: ignore[union-attr]
            "runs": runs_of(batch),
            "formats": downloads.FORMATS,
            "file_url": f"admin:exports_{self.opts.model_name}_file",
            "file": file_state(batch),
            "before": before,
            "before_url": page_of(before) if before else "",
            "diff": lines_between(before.content, batch.content) if before else [],
            "source_mark": marks.source_mark(source_of(batch)),
        }

    def file_view(self, request: HttpRequest, pk: int, file_format: str) -> HttpResponse:
        """The brief as a file."""
        batch = self.get_object(request, str(pk))
        if batch is None or file_format not in downloads.FORMATS or not self.has_view_permission(request, batch):
            raise Http404
        file = downloads.file_of(batch, file_format)
        answer = HttpResponse(file.content, content_type=file.content_type)
        answer["Content-Disposition"] = f'attachment; filename="{file.name.encode("ascii", "ignore").decode()}"; ' + (
            f"filename*=UTF-8''{quoted(file.name)}"
        )
        return answer

    @object_action(
        label=gettext_lazy("Write the file again"),
        permission="exports.export_brief",
        when=lambda batch: bool(files.path_of(batch)),
    )
    def write_again(self, request: HttpRequest, batch: Batch) -> None:
        try:
            written = files.rewrite(batch, actor=request.user)
        except OSError as error:
            self.message_user(request, _("The disk refused: %(error)s") % {"error": error.strerror}, messages.ERROR)
        else:
            self.message_user(request, _("%(name)s was written.") % {"name": written.name})

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("number of the day"), ordering="sequence_no")
    def number_of_day(self, batch: Batch) -> str:
        return str(batch.sequence_no)

    @admin.display(description=gettext_lazy("articles"))
    def article_count(self, batch: Batch) -> str:
        return number(batch.item_count)  # type: ignore[union-attr]

    @admin.display(description=gettext_lazy("made"))
    def made(self, batch: Batch) -> SafeString:
        return marks.source_mark(source_of(batch))

    @admin.display(description=gettext_lazy("template"))
    def template_shown(self, batch: Batch) -> str:
        """The template's title while there is one of this name; a deleted one leaves its name."""
        template = BriefTemplate.objects.filter(slug=batch.template).first()
        return template.title if template else batch.template or "—"

    @admin.display(description="SHA-256")
    def short_sha(self, batch: Batch) -> SafeString | None:
        return format_html("<code>{}</code>", batch.sha256[:12]) if batch.sha256 else None


@admin.register(ManualExportBatch)
class ManualExportBatchAdmin(BatchAdmin):
    list_display = (
        "report_tag", "report_date", "number_of_day", "template", "article_count", "short_sha", "created_at"
    )  # fmt: skip
    list_empty_text = gettext_lazy("Pick articles at the review desk, then compose and export.")


@admin.register(BriefBatch)
class BriefBatchAdmin(BatchAdmin):
    list_display = (
        "report_tag", "report_date", "number_of_day", "made", "template", "article_count", "short_sha", "created_at"
    )  # fmt: skip
    list_filter: ClassVar[Any] = ("source", "report_date", "template")
    list_empty_text = gettext_lazy("The worker makes the first one when its schedule is due, or when a run is started.")


# --- what a page shows ---------------------------------------------------------------------------


def previous_of(batch: Batch) -> Batch | None:
    """The brief before this one, of the same template and line."""
    earlier = Q(report_date__lt=batch.report_date) | Q(report_date=batch.report_date, sequence_no__lt=batch.sequence_no)
    same: Any = type(batch).objects.filter(earlier, template=batch.template)
    if isinstance(batch, BriefBatch):
        same = same.filter(source=batch.source)
    found: Batch | None = same.newest_first().first()
    return found


def page_of(batch: Batch) -> str:
    return reverse(f"admin:exports_{batch._meta.model_name}_change", args=[batch.pk])


def shown_items(batch: Batch) -> Iterator[ShownItem]:
    """In printed order; each leads to its article's page, where its other briefs are listed."""
    items: Any = batch.items  # type: ignore[union-attr]
    found = list(items.order_by("order_index").select_related("article")[:ITEMS_SHOWN])
    reviews = dict(
        ManualReview.objects.filter(article_id__in=[item.article_id for item in found]).values_list("article_id", "pk")
    )
    headings = section_headings(batch.template)
    for item in found:
        facts = item.metadata if isinstance(item.metadata, dict) else {}
        yield ShownItem(
            item,
            str(facts.get("title") or item.article.title or item.article_id),
            str(facts.get("source") or ""),
            article_page(item.article.pk, reviews.get(item.article_id)),
            headings.get(item.section, item.section),
        )


def article_page(article_pk: int, review_pk: int | None) -> str:
    """Where an article is looked at: its own page, else that of its review."""
    try:
        return reverse("admin:exports_article_change", args=[article_pk])
    except NoReverseMatch:
        return reverse("admin:exports_manualreview_change", args=[review_pk]) if review_pk else ""


def section_headings(template: str) -> dict[str, str]:
    """Code of a section → its heading, as the template has it today."""
    found = BriefTemplate.objects.filter(slug=template).values_list("sections__section", "sections__heading")
    return {section: heading for section, heading in found if section}


def runs_of(batch: Batch) -> list[dict[str, Any]]:
    """The exports that made this brief what it is, newest first, each with its own text."""
    runs = ExportRun.objects.filter(
        **{"manual_batch" if isinstance(batch, ManualExportBatch) else "brief_batch": batch}
    )
    found = list(runs.select_related("requested_by").order_by("-id")[:RUNS_SHOWN])
    return [{"run": run, "url": run_page(run), "left_out": left_out(run)} for run in found]


def run_page(run: ExportRun) -> str:
    try:
        return reverse("admin:exports_exportrun_change", args=[run.pk])
    except NoReverseMatch:
        return ""


def left_out(run: ExportRun) -> list[tuple[str, str]]:
    """Article id and reason of what the run did not print."""
    labels = dict(NotPrinted.choices)
    rows = run.not_printed if isinstance(run.not_printed, list) else []
    return [
        (str(row.get("article_id", "")), str(labels.get(row.get("reason", ""), row.get("reason", ""))))
        for row in rows
        if isinstance(row, dict)
    ]


def file_state(batch: Batch) -> FileState | None:
    """Whether the file has the stored text; None when none was asked for."""
    name = files.path_of(batch)
    if not name:
        return None
    try:
        found = files.checked_path(name).read_bytes()
    except ValidationError:
        return FileState(name, _("its name may not be"), "danger", False)
    except FileNotFoundError:
        return FileState(name, _("missing"), "warning", True)
    except OSError as error:
        return FileState(name, error.strerror or str(error), "danger", True)
    is_whole = found == batch.content.encode() and sha256_of(batch.content) == batch.sha256
    return FileState(name, _("in place") if is_whole else _("differs"), "ok" if is_whole else "warning", True)


def quoted(name: str) -> str:
    """A file name as RFC 5987 writes it."""
    return quote(name, safe="")
