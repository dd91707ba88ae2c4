"""Product sync runs: start, watch, cancel."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from desk.badges import Tone, badge, number, status_badge
from desk.diffs import field_diffs
from desk.object_actions import Context, object_action
from etl.products.admin.forms import FullForm, RehashForm, ReplayForm, ShardsForm
from etl.products.choices import ChangeType, Mode
from etl.products.models import ProductSyncRun
from etl.products.services import (
    SyncOptions,
    request_sync,
)
from etl.products.source import SourceUnusable
from runs.admin import RunAdmin, SupersededFilter, span
from runs.errors import Conflict, Contention

BATCHES_SHOWN = 100
KEYS_SHOWN = 20
POLL_PATH = "/api/v1/etl/product-runs/{}"

CHANGE_TONES: dict[str, Tone] = {
    ChangeType.CREATE: "ok",
    ChangeType.UPDATE: "info",
    ChangeType.DELETE: "danger",
    ChangeType.RESTORE: "warning",
}


@admin.register(ProductSyncRun)
class ProductSyncRunAdmin(RunAdmin):
    list_display = (*RunAdmin.list_display, "read_rows", "created_rows", "updated_rows", "rejected_rows")
    list_filter = ("status", SupersededFilter, "mode", "dry_run", "created_at")
    list_actions: ClassVar = ["run_now", "in_shards", "dry_run", "full_compare", "replay", "rehash"]
    download_fields = (
        "id", "status", "source", "mode", "dry_run", "shards", "created_at", "started_at", "finished_at",
        "error", "error_text",
        "read", "created", "updated", "unchanged", "superseded", "rejected", "deleted", "waiting", "batches", "seconds",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Press “Run now” to read the source for the first time.")
    change_form_template = "etl/product_sync_run.html"
    poll_path = POLL_PATH
    cancel_permission = "etl.run_product_sync"
    fieldsets = (
        (gettext_lazy("Asked for"), {"fields": ("requested_by", "created_at", "options")}),
        (gettext_lazy("Course"), {"fields": ("started_at", "finished_at", "phase", "moved", "read_until")}),
    )
    readonly_fields = ("options", "moved")

    @object_action(label=gettext_lazy("Run now"), permission="etl.run_product_sync", tone="info")
    def run_now(self, request: HttpRequest) -> HttpResponse | None:
        return self._start(request, SyncOptions())

    @object_action(
        label=gettext_lazy("Run in shards"),
        permission="etl.run_product_sync",
        confirm=gettext_lazy("Several workers read side by side, each the products of its own keys."),
        form=ShardsForm,
    )
    def in_shards(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, SyncOptions(**wish))

    @object_action(label=gettext_lazy("Dry run"), permission="etl.run_product_sync")
    def dry_run(self, request: HttpRequest) -> HttpResponse | None:
        return self._start(request, SyncOptions(dry_run=True))

    @object_action(
        label=gettext_lazy("Full compare"),
        permission="etl.run_product_sync",
        confirm=gettext_lazy(
            "Everything is read from the first row on. Then the products that no source row is about are deleted; "
            "one that returns is restored."
        ),
        form=FullForm,
        tone="danger",
    )
    def full_compare(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, SyncOptions(mode=Mode.FULL, **wish))

    @object_action(
        label=gettext_lazy("Replay"),
        permission="etl.run_product_sync",
        confirm=gettext_lazy("These rows are read again; the watermark stays where it is."),
        form=ReplayForm,
    )
    def replay(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, SyncOptions(mode=Mode.REPLAY, **wish))

    @object_action(
        label=gettext_lazy("Rehash"),
        permission="etl.run_product_sync",
        confirm=gettext_lazy(
            "After a change of the normaliser: the versions of all products are computed anew from what is stored. "
            "The change log gets no rows."
        ),
        form=RehashForm,
    )
    def rehash(self, request: HttpRequest, wish: dict[str, Any]) -> HttpResponse | None:
        return self._start(request, SyncOptions(mode=Mode.REHASH, **wish))

    def _start(self, request: HttpRequest, options: SyncOptions) -> HttpResponse | None:
        try:
            run = request_sync(options, actor=request.user, requested_by=request.user)
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
            return None
        except (SourceUnusable, Contention) as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        self.message_user(request, _("%(run)s is queued.") % {"run": capfirst(str(run))})
        return redirect("admin:etl_productsyncrun_change", run.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("keys")  # there may be thousands

    def page_context(self, run: ProductSyncRun) -> Context:
        batches = list(run.batch_log.order_by("-pk")[:BATCHES_SHOWN])
        return super().page_context(run) | {
            "shards": [
                (shard, status_badge(shard.status, shard.get_status_display()))
                for shard in run.parts.order_by("number")
            ],
            "counts": list(counts(run)),
            "batches": batches,
            "differences": [
                entry | {"diffs": field_diffs(entry["fields"]), "mark": change_type_badge(entry["type"])}
                for entry in run.differences
            ],
            "changes_url": f"{reverse('admin:etl_productchange_changelist')}?run__id__exact={run.pk}",
            "rejects_url": f"{reverse('admin:etl_rejectedrow_changelist')}?run__id__exact={run.pk}&state=all",
        }

    @admin.display(description=gettext_lazy("run"))
    def name(self, run: ProductSyncRun) -> SafeString:
        mode = badge(run.get_mode_display(), "info") if run.mode != Mode.SYNC else ""
        return format_html("#{} {} {}", run.pk, mode, badge(_("dry run"), "muted") if run.dry_run else "")

    @admin.display(description=gettext_lazy("read"))
    def read_rows(self, run: ProductSyncRun) -> str:
        return number(run.read)

    @admin.display(description=gettext_lazy("created"))
    def created_rows(self, run: ProductSyncRun) -> str:
        return number(run.created)

    @admin.display(description=gettext_lazy("updated"))
    def updated_rows(self, run: ProductSyncRun) -> str:
        return number(run.updated)

    @admin.display(description=gettext_lazy("rejected"))
    def rejected_rows(self, run: ProductSyncRun) -> str:
        return number(run.rejected)

    @admin.display(description=gettext_lazy("options"))
    def options(self, run: ProductSyncRun) -> str:
        said = [
            run.get_mode_display(),
            _("%(rows)s rows per batch") % {"rows": number(run.batch_size)},
            *MODE_OPTIONS[run.mode](run),
        ]
        if run.dry_run:
            said.append(_("dry run"))
        if run.shards > 1:
            said.append(ngettext("%(count)s shard", "%(count)s shards", run.shards) % {"count": run.shards})
        if run.max_batches is not None:
            said.append(_("at most %(count)s batches") % {"count": run.max_batches})
        if run.max_rejects is not None:
            said.append(_("at most %(count)s rejects") % {"count": run.max_rejects})
        return " · ".join(said)

    @admin.display(description=gettext_lazy("watermark"))
    def moved(self, run: ProductSyncRun) -> SafeString:
        return format_html(
            "{} → {}",
            place(run.watermark_before_at, run.watermark_before_id),
            place(run.watermark_after_at, run.watermark_after_id),
        )


def sync_options(run: ProductSyncRun) -> Iterator[str]:
    """Where a sync begins."""
    yield _("from the watermark") if run.resume else _("from the first row")
    yield _("look-back %(span)s") % {"span": span(run.lookback)}


def full_options(run: ProductSyncRun) -> Iterator[str]:
    """What a full compare may do."""
    yield _("from the first row")
    yield _("at most %(count)s %% deleted") % {"count": run.max_delete_percent}


def replay_options(run: ProductSyncRun) -> Iterator[str]:
    """Which rows a replay reads."""
    if run.since is not None:
        yield _("since %(at)s") % {"at": date_format(timezone.localtime(run.since), "DATETIME_FORMAT")}
    if run.until is not None:
        yield _("until %(at)s") % {"at": date_format(timezone.localtime(run.until), "DATETIME_FORMAT")}
    if run.keys:
        yield as_keys(len(run.keys), run.keys[:KEYS_SHOWN])
    if run.keys_not_found:
        yield _("not found: %(keys)s") % {"keys": as_keys(run.keys_not_found, run.first_keys_not_found)}


def rehash_options(run: ProductSyncRun) -> Iterator[str]:
    """A rehash has none of its own."""
    return iter(())


MODE_OPTIONS: dict[str, Callable[[ProductSyncRun], Iterator[str]]] = {
    Mode.SYNC: sync_options,
    Mode.FULL: full_options,
    Mode.REPLAY: replay_options,
    Mode.REHASH: rehash_options,
}


def as_keys(count: int, first: list[list[str]]) -> str:
    """So many products, and which the first of them are."""
    shown = ", ".join("/".join(key) for key in first)
    products = ngettext("%(count)s product", "%(count)s products", count) % {"count": number(count)}
    return f"{products} ({shown}{' …' if count > len(first) else ''})"


def counts(run: ProductSyncRun) -> Iterator[dict[str, Any]]:
    """The funnel: every row read is in exactly one of the parts below `read`."""
    parts = ("created", "updated", "unchanged", "superseded", "rejected")
    for name in ("read", *parts, "deleted", "waiting"):
        yield {
            "field": name,
            "label": run._meta.get_field(name).verbose_name,
            "value": getattr(run, name),
            "part": name in parts,
        }


def place(at: Any, row_id: int | None) -> str:
    """A position in the source."""
    if at is None:
        return _("never read")
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S} / {row_id}"


def change_type_badge(change_type: str) -> SafeString:
    return badge(ChangeType(change_type).label, CHANGE_TONES[change_type])


def link_to_run(run_id: int | None) -> SafeString | None:
    """A link to a run by its id alone; the log keeps ids of runs that are gone."""
    if run_id is None:
        return None
    return format_html('<a href="{}">#{}</a>', reverse("admin:etl_productsyncrun_change", args=[run_id]), run_id)
