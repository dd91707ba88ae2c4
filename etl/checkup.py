"""The doctor looks at product sync: how far behind it is, and whether products and their log agree."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask

from etl.products.models import ProductSyncRun
from etl.products.source import SourceUnusable
from etl.products.staging import configured_source
from runs.errors import Outage
from watch.findings import Finding, Up, fine, problem

TASK = "etl.tasks.run_product_sync"
TICKS_MISSED = 6
NEWEST = 1_000

# a version made by another generation of the normaliser differs for a good reason
DRIFTED = """
    SELECT count(*)
      FROM (SELECT id, data_version FROM products ORDER BY id DESC LIMIT %s) p
      JOIN LATERAL (SELECT new_version FROM product_change_log WHERE product_id = p.id
                     ORDER BY id DESC LIMIT 1) l ON true
     WHERE l.new_version <> p.data_version
       AND split_part(l.new_version, ':', 1) = split_part(p.data_version, ':', 1)
"""

# numbers of transactions are those of one cluster; a dump carries them into another, where they lie ahead
FROM_THE_FUTURE = """
    SELECT coalesce(max(xid) >= pg_snapshot_xmax(pg_current_snapshot()), false)
      FROM (SELECT xid FROM product_change_log ORDER BY xid DESC LIMIT 1) newest
"""


def examine(up: Up) -> Iterator[Finding]:
    """Lag, drift, and the change feed after a restore."""
    if not up.database:
        return
    yield from _source()
    yield from _lag()
    yield from _drift()
    yield from _feed()


def _source() -> Iterator[Finding]:
    """Whether the staging table can be read, and read quickly."""
    try:
        with configured_source() as source:
            source.check()
            warnings = source.warnings()
    except (SourceUnusable, Outage) as error:
        yield problem("source", str(error), _("Mend what STAGING_DATABASE_URL names (README.md)."))
        return
    for warning in warnings:
        yield problem("source", warning, _("Let the owner of the source database make the index."))
    if not warnings:
        yield fine("source", _("the source of products can be read"))


def _lag() -> Iterator[Finding]:
    schedule = PeriodicTask.objects.filter(task=TASK, enabled=True).select_related("interval").first()
    if schedule is None or schedule.interval is None:
        return  # who switched it off, or runs it by the clock, knows when
    every: timedelta = schedule.interval.schedule.run_every
    done = ProductSyncRun.objects.filter(status=ProductSyncRun.STATUSES.completed, dry_run=False)
    last = done.order_by("-id").values_list("finished_at", flat=True).first()
    late = timezone.now() - (last or schedule.date_changed)
    if late > TICKS_MISSED * every:
        hours = round(late.total_seconds() / 3600, 1)
        text = _("No product sync has completed for %(hours)s hours.") % {"hours": hours}
        yield problem("lag", text, "manage.py etl_products")
    else:
        yield fine("lag", _("product sync keeps up"))


def _drift() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(DRIFTED, [NEWEST])
        drifted = cursor.fetchone()[0]
    if drifted:
        text = _("%(count)s of the newest %(looked_at)s products were changed past the change log.")
        facts = {"count": drifted, "looked_at": NEWEST}
        yield problem("drift", text % facts, "manage.py etl_products --no-resume")
    else:
        yield fine("drift", _("products and their change log agree"))


def _feed() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(FROM_THE_FUTURE)
        row = cursor.fetchone()
    if row and row[0]:
        text = _("The change log was restored from a dump: its newest changes would be hidden from the change feed.")
        yield problem("feed", text, "manage.py restart_change_feed")
    else:
        yield fine("feed", _("the change feed shows every change"))
