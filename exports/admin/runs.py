"""Export runs: start the worker, watch, cancel, and see what became of every candidate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from desk.badges import badge, number
from desk.object_actions import Context, object_action
from exports.admin.forms import ExportForm
from exports.admin.funnels import article_url, label_of, steps
from exports.choices import SkipScope, Source
from exports.home import POLL_PATH
from exports.models import ExportRun
from exports.services import ExportOptions, request_export
from runs.admin import RunAdmin, SupersededFilter
from runs.errors import Conflict, Contention

TEXT_SHOWN = 20_000  # characters; the rest is in the download
LONG_COLUMNS = ("content", "payload", "not_printed", "skipped_duplicates")


@admin.register(ExportRun)
class ExportRunAdmin(RunAdmin):
    list_display = (
        "name",
        "kind_mark",
        "report_tag",
        "report_date",
        "status_mark",
        "progress_meter",
        "printed_articles",
        "recorded_articles",
        "requested_by",
        "started",
        "duration",
    )
    list_filter = ("status", SupersededFilter, "kind", "dry_run")
    search_fields = ("report_tag__exact",)
    search_help_text = gettext_lazy("The whole tag")
    list_actions: ClassVar = ["run_now", "dry_run"]
    object_actions: ClassVar = ["cancel_run", "run_again"]
    download_fields = (
        "id", "status", "kind", "report_tag", "report_date", "template", "dry_run", "limit", "min_score",
        "skip_exported", "skip_scope", "mark_exported", "output_path", "created_at", "started_at", "finished_at",
        "error", "error_text", "printed", "recorded", "sha256",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Press “Run now” to let the worker make a brief.")
    change_form_template = "exports/run.html"
    poll_path = POLL_PATH
    cancel_permission = "exports.run_export"
    fieldsets = (
        (gettext_lazy("Asked for"), {"fields": ("requested_by", "created_at", "report_tag", "report_date", "options")}),
        (
            gettext_lazy("Course"),
            {"fields": ("started_at", "finished_at", "brief", "sha256", "output_path")},
        ),
    )
    readonly_fields = ("options", "brief")

    class Media:
        css: ClassVar = {"all": ["exports/funnel.css"]}

    @object_action(
        label=gettext_lazy("Run now"),
        permission="exports.run_export",
        confirm=gettext_lazy("The worker chooses by rules, prints a brief and records it. No review is changed."),
        form=ExportForm,
        tone="info",
    )
    def run_now(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, ExportOptions(**wish))

    @object_action(
        label=gettext_lazy("Dry run"),
        permission="exports.run_export",
        confirm=gettext_lazy("The worker chooses and prints; nothing is recorded."),
        form=ExportForm,
    )
    def dry_run(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, ExportOptions(**wish, dry_run=True))

    @object_action(
        label=gettext_lazy("Run again"),
        permission="exports.run_export",
        confirm=gettext_lazy("A new run with the same options; it takes what is left now."),
        when=lambda run: run.kind == Source.WORKER and not run.is_open,
    )
    def run_again(self, request: HttpRequest, run: ExportRun) -> HttpResponse | None:
        wish = {name: getattr(run, name) for name in ExportOptions().as_fields() if getattr(run, name) is not None}
        return self._start(request, ExportOptions(**wish))

    def _start(self, request: HttpRequest, options: ExportOptions) -> HttpResponse | None:
        try:
            run = request_export(options, actor=request.user, requested_by=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
            return None
        except Contention as error:
            self.message_user(request, str(error.message), messages.ERROR)
            return None
        except ValidationError as error:  # the template of a run that is repeated may be gone
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return None
        self.message_user(request, _("%(run)s is queued.") % {"run": capfirst(str(run))})
        return redirect("admin:exports_exportrun_change", run.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer(*LONG_COLUMNS, "funnel")

    def page_context(self, run: ExportRun) -> Context:
        funnel = run.funnel
        return super().page_context(run) | {
            "steps": steps(run),
            "counts": list(counts(run)),
            "buckets": funnel.get("buckets", []),
            "not_printed": [
                (each["article_id"], article_url(each["article_id"]), label_of(each["reason"]))
                for each in run.not_printed
            ],
            "text": run.content[:TEXT_SHOWN],
            "is_cut": len(run.content) > TEXT_SHOWN,
        }

    @admin.display(description=gettext_lazy("run"))
    def name(self, run: ExportRun) -> SafeString:
        return format_html("#{} {}", run.pk, badge(_("dry run"), "muted") if run.dry_run else "")

    @admin.display(description=gettext_lazy("kind"))
    def kind_mark(self, run: ExportRun) -> SafeString:
        return badge(run.get_kind_display(), "info" if run.kind == Source.WORKER else "neutral")

    @admin.display(description=gettext_lazy("printed"))
    def printed_articles(self, run: ExportRun) -> str:
        return number(run.printed)

    @admin.display(description=gettext_lazy("newly recorded"))
    def recorded_articles(self, run: ExportRun) -> str:
        return number(run.recorded)

    @admin.display(description=gettext_lazy("options"))
    def options(self, run: ExportRun) -> str:
        return " · ".join(said(run))

    @admin.display(description=gettext_lazy("brief"))
    def brief(self, run: ExportRun) -> SafeString | str | None:
        """Where the articles went."""
        batch = run.batch
        if batch is None:
            return None
        try:
            url = reverse(f"admin:{batch._meta.app_label}_{batch._meta.model_name}_change", args=[batch.pk])
        except NoReverseMatch:
            return str(batch)
        return format_html('<a href="{}">{}</a>', url, batch)


def said(run: ExportRun) -> Iterator[str]:
    """The options in words."""
    yield run.get_kind_display()
    yield run.template
    if run.dry_run:
        yield _("dry run")
    if run.kind == Source.MANUAL:
        yield _("marks what is printed as exported") if run.mark_exported else _("marks nothing as exported")
        return
    yield _("score from %(score)s on") % {"score": run.min_score}
    if run.limit is not None:
        yield _("at most %(count)s articles") % {"count": number(run.limit)}
    if not run.skip_exported:
        yield _("skips only what this brief has")
    else:
        yield _("skips what is in: %(scope)s") % {"scope": SkipScope(run.skip_scope).label}


def counts(run: ExportRun) -> Iterator[tuple[str, Any, int | None]]:
    """What the head of the page tells: (field of the answer, label, value)."""
    if run.kind == Source.WORKER:
        yield "funnel.candidates", _("candidates"), run.funnel.get("candidates")
        yield "funnel.clusters", _("different stories"), run.funnel.get("clusters")
    yield "printed", _("printed"), run.printed
    yield "recorded", _("newly recorded"), run.recorded
