"""What product sync and documents show on the home page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from api.days import midnight
from desk.charts import Chart, Series
from desk.home import Card, LiveRun, Need, Section
from etl.documents.models import ETLTask
from etl.products.admin.runs import POLL_PATH
from etl.products.choices import ChangeType
from etl.products.models import Product, ProductChange, ProductSyncRun, RejectedRow, Watermark
from etl.products.querysets import ProductSyncRunQuerySet
from etl.products.staging import configured_source
from runs.admin import is_stalled, span

DAYS_SHOWN = 14
RUNS_SHOWN = 20


def home(request: HttpRequest) -> Section | None:
    """The section of products and documents; None for who may see neither."""
    user = request.user
    documents = list(_document_cards(user)) if user.has_perm("etl.view_etltask") else []
    products = _products(user)
    if products is None:
        return Section(title=_("Documents"), cards=documents) if documents else None
    return replace(products, cards=[*products.cards, *documents])


def _products(user: Any) -> Section | None:
    if not user.has_perm("etl.view_productsyncrun") or not user.has_perm("etl.view_product"):
        return None
    open_rejects = RejectedRow.objects.unresolved().count()
    failures = ProductSyncRun.objects.unhandled_failures().count()
    open_runs = list(ProductSyncRun.objects.open().order_by("-id"))
    return Section(
        title=_("Products"),
        cards=list(_cards(open_rejects, failures, len(open_runs))),
        needs=list(_needs(open_rejects, failures, open_runs)),
        charts=[_changes_chart(), _speed_chart()],
        runs=[_live(run) for run in open_runs],
    )


def _document_cards(user: Any) -> Iterator[Card]:
    """Of documents that the user sees."""
    tasks = ETLTask.objects.visible_to(user)
    waiting, running = tasks.filter(status=ETLTask.STATUSES.queued).count(), tasks.active().count()
    failures = tasks.unhandled_failures().count()
    note = _("%(count)s waiting") % {"count": waiting} if waiting else ""
    yield Card(_("Documents running"), running, _list("etltask"), tone="info" if running else "neutral", note=note)
    failed = _list("etltask", "?status__exact=failed")
    yield Card(_("Documents failed"), failures, failed, tone="danger" if failures else "neutral")


def _list(model: str, query: str = "") -> str:
    return reverse(f"admin:etl_{model}_changelist") + query


def _cards(open_rejects: int, failures: int, running: int) -> Iterator[Card]:
    gone = Product.objects.filter(is_deleted=True).count()
    note = _("%(count)s deleted at source") % {"count": gone} if gone else ""
    yield Card(_("Products"), Product.objects.listed().count(), _list("product", "?is_deleted__exact=0"), note=note)
    yield _last_sync_card()
    # another source that was read once would only fall behind
    yield from map(_lag_card, Watermark.objects.filter(table_name=configured_source().table))
    yield Card(_("Running"), running, _list("productsyncrun"), tone="info" if running else "neutral")
    yield Card(
        _("Open rejected rows"), open_rejects, _list("rejectedrow"), tone="warning" if open_rejects else "neutral"
    )
    failed = _list("productsyncrun", "?status__exact=failed")
    yield Card(_("Failed, not handled"), failures, failed, tone="danger" if failures else "neutral")


def _last_sync_card() -> Card:
    last = _real_runs().filter(status=ProductSyncRun.STATUSES.completed).order_by("-id").first()
    if last is None:
        return Card(_("Last sync"), _("never"), _list("productsyncrun"))
    ago = _("%(time)s ago") % {"time": span(timezone.now() - last.finished_at)}
    url = reverse("admin:etl_productsyncrun_change", args=[last.pk])
    changed = last.created + last.updated + last.deleted
    note = ngettext("%(count)s product changed", "%(count)s products changed", changed) % {"count": changed}
    return Card(_("Last sync"), ago, url, note=note)


def _lag_card(watermark: Watermark) -> Card:
    lag = span(timezone.now() - watermark.last_processed_at)
    return Card(_("Sync lag"), lag, _list("watermark"), note=watermark.table_name)


def _needs(open_rejects: int, failures: int, open_runs: list[ProductSyncRun]) -> Iterator[Need]:
    if failures:
        text = ngettext(
            "%(count)s product sync failed and no later run took over.",
            "%(count)s product syncs failed and no later run took over.",
            failures,
        )
        yield Need(text % {"count": failures}, _list("productsyncrun", "?status__exact=failed"), "danger")
    for run in filter(is_stalled, open_runs):
        text = _("Product sync #%(id)s gives no sign of life.") % {"id": run.pk}
        yield Need(text, reverse("admin:etl_productsyncrun_change", args=[run.pk]))
    if open_rejects:
        text = ngettext(
            "%(count)s source row was rejected and waits to be mended.",
            "%(count)s source rows were rejected and wait to be mended.",
            open_rejects,
        )
        yield Need(text % {"count": open_rejects}, _list("rejectedrow"))


def _live(run: ProductSyncRun) -> LiveRun:
    return LiveRun(
        title=_("Product sync #%(id)s") % {"id": run.pk},
        url=reverse("admin:etl_productsyncrun_change", args=[run.pk]),
        poll=POLL_PATH.format(run.pk),
        status=run.status,
        status_label=run.get_status_display(),
        progress=run.progress,
    )


def _changes_chart() -> Chart:
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    counted: dict[tuple[Any, str], int] = {
        (row["day"], row["change_type"]): row["count"]
        for row in ProductChange.objects.filter(created_at__gte=midnight(days[0]))
        .order_by()
        .annotate(day=TruncDate("created_at"))
        .values("day", "change_type")
        .annotate(count=Count("id"))
    }
    return Chart(
        title=_("Changes per day"),
        labels=[date_format(day, "m-d") for day in days],
        series=[Series(str(kind.label), [counted.get((day, kind), 0) for day in days]) for kind in ChangeType],
        unit=_("products"),
        url=_list("productchange"),
    )


def _speed_chart() -> Chart:
    newest = _real_runs().finished().filter(read__gt=0).order_by("-id")[:RUNS_SHOWN]
    runs = list(newest)[::-1]
    return Chart(
        title=_("Speed of the last runs"),
        labels=[f"#{run.pk}" for run in runs],
        series=[Series(_("Rows per second"), [run.rows_per_second for run in runs])],
        kind="line",
        unit=_("rows/s"),
        url=_list("productsyncrun"),
    )


def _real_runs() -> ProductSyncRunQuerySet:
    return ProductSyncRun.objects.filter(dry_run=False)
