"""What must be true whenever all is quiet, whatever was killed before: the end of every fault test.

Each check is a function that yields a sentence per violation. A new pipeline adds its own with @invariant.
"""

from collections.abc import Callable, Iterator

from django.db import connection
from django.db.models import Sum

from distilled import drift
from etl.models import ProductSyncBatch, ProductSyncRun, Watermark
from runs.reaper import run_models

Check = Callable[[], Iterator[str]]
INVARIANTS: list[Check] = []


def invariant(check: Check) -> Check:
    """Make a check part of the pack."""
    INVARIANTS.append(check)
    return check


def violations() -> list[str]:
    """Every violation of every invariant."""
    return [f"{check.__name__}: {found}" for check in INVARIANTS for found in check()]


def assert_all_hold() -> None:
    """Fail with all that is wrong."""
    found = violations()
    assert not found, "\n".join(found)


def rows(query, params=None):
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()


# --- Runs of every kind --------------------------------------------------------------------------


@invariant
def no_run_is_open():
    """Nothing waits and nothing is being worked on."""
    for model in run_models():
        for run in model.objects.open():
            yield f"{model.__name__} {run.pk} is {run.status}, attempt {run.attempt}"


@invariant
def no_lease_is_left():
    """No worker holds anything."""
    for model in run_models():
        for run in model.objects.exclude(lease_token=None, lease_until=None):
            yield f"{model.__name__} {run.pk} is leased until {run.lease_until}"


# --- Product sync --------------------------------------------------------------------------------


@invariant
def watermark_is_the_newest_row_read():
    """It stands at the newest row of the source that is due: never behind, never ahead."""
    if not ProductSyncRun.objects.filter(status=ProductSyncRun.STATUSES.completed, dry_run=False).exists():
        return
    newest = rows(
        "SELECT src_updated_at, id FROM products_staging WHERE src_updated_at <= clock_timestamp()"
        " ORDER BY src_updated_at DESC, id DESC LIMIT 1"
    )
    position = Watermark.objects.position_of("products_staging")
    if newest and (position is None or tuple(position) != newest[0]):
        yield f"it is {position}, the newest row {newest[0]}"


@invariant
def no_source_row_is_lost():
    """Every row read has its product, or stands on the list of rejects."""
    lost = rows(
        """
        SELECT count(*), min(s.id)
          FROM products_staging s
          JOIN etl_watermark w ON w.table_name = 'products_staging'
           AND (s.src_updated_at, s.id) <= (w.last_processed_at, w.last_processed_id)
          LEFT JOIN products p ON p.brand_code = btrim(s.style_brand_no) AND p.sku = btrim(s.style_no)
          LEFT JOIN etl_rejectedrow r ON r.src_id = s.id AND r.resolved_at IS NULL
         WHERE p.id IS NULL AND r.id IS NULL
        """
    )
    if lost[0][0]:
        yield f"{lost[0][0]} rows, the first with id {lost[0][1]}"


@invariant
def one_product_per_key():
    """No key has two rows; also where the database was kept from saying so."""
    for brand, sku, count in rows("SELECT brand_code, sku, count(*) FROM products GROUP BY 1, 2 HAVING count(*) > 1"):
        yield f"{brand} {sku} has {count}"


@invariant
def log_is_the_history_of_every_product():
    """Replayed in order, each entry continues the one before, changes something, and ends in what is stored."""
    broken = rows(
        """
        SELECT product_id, sku, change_type, old_version, new_version, before
          FROM (SELECT l.*, lag(new_version) OVER (PARTITION BY product_id ORDER BY id) AS before
                  FROM product_change_log l) log
         WHERE old_version IS DISTINCT FROM before
            OR (change_type = 'CREATE') <> (before IS NULL)
            OR (change_type = 'UPDATE' AND (old_version = new_version OR changed_fields = '{}'))
        """
    )
    for product, sku, change, old, new, before in broken:
        yield f"{change} of {product} ({sku}) leads from {old} to {new} behind {before}"
    stored = rows(
        """
        SELECT p.id, p.sku, p.data_version, l.new_version
          FROM products p
          LEFT JOIN LATERAL (SELECT new_version FROM product_change_log WHERE product_id = p.id
                              ORDER BY id DESC LIMIT 1) l ON true
         WHERE l.new_version IS DISTINCT FROM p.data_version
        """
    )
    for product, sku, version, logged in stored:
        yield f"product {product} ({sku}) is at {version}, the log at {logged}"


@invariant
def counters_are_the_rows_they_count():
    """A run's counters are the sums of its batches and the entries it wrote to the log."""
    names = ("read", "created", "updated", "unchanged", "superseded", "rejected")
    for run in ProductSyncRun.objects.filter(dry_run=False):
        batches = ProductSyncBatch.objects.filter(run=run)
        sums = batches.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in names})
        for name in names:
            if getattr(run, name) != sums[f"sum_{name}"]:
                yield f"run {run.pk}: {name} is {getattr(run, name)}, its batches sum up to {sums[f'sum_{name}']}"
        numbers = sorted(batches.values_list("number", flat=True))
        if numbers != list(range(1, run.batches + 1)):
            yield f"run {run.pk}: {run.batches} batches, numbered {numbers[:3]} … {numbers[-3:]}"
        logged = dict(
            rows("SELECT change_type, count(*) FROM product_change_log WHERE run_id = %s GROUP BY 1", [run.pk])
        )
        counted = {"CREATE": run.created, "UPDATE + RESTORE": run.updated, "DELETE": run.deleted}
        written = {name: sum(logged.get(each, 0) for each in name.split(" + ")) for name in counted}
        if counted != written:
            yield f"run {run.pk}: counted {counted}, logged {written}"


@invariant
def a_final_run_says_how_it_ended():
    """A completed run has no error; only a failed or cancelled one may leave work undone."""
    for run in ProductSyncRun.objects.filter(status=ProductSyncRun.STATUSES.completed).exclude(error=""):
        yield f"run {run.pk} is completed with the error {run.error}"


# --- Exports -------------------------------------------------------------------------------------

EXPORTS = (
    ("manual_export_batches", "manual_export_items", "manual_export_batch_id", ""),
    ("brief_batches", "brief_items", "brief_batch_id", ", source"),
)


@invariant
def every_brief_has_its_articles_once_and_in_places_without_a_gap():
    """From one on, whoever recorded them."""
    for _batches, items, batch, source in EXPORTS:
        for (pk,) in rows(
            f"SELECT {batch} FROM {items} GROUP BY 1 HAVING min(order_index) <> 1 OR max(order_index) <> count(*)"
        ):
            yield f"the places of {items} of batch {pk} have a gap"
        for pk, article in rows(
            f"SELECT {batch}, article_id FROM {items} GROUP BY {batch}, article_id {source} HAVING count(*) > 1"
        ):
            yield f"{items} of batch {pk} has {article} twice"


@invariant
def briefs_of_a_day_are_numbered_without_a_gap():
    """From one on, in each table."""
    for batches, *_rest in EXPORTS:
        for (day,) in rows(
            f"SELECT report_date FROM {batches} GROUP BY 1 HAVING min(sequence_no) <> 1 OR max(sequence_no) <> count(*)"
        ):
            yield f"the numbers of {batches} of {day} have a gap"


@invariant
def every_text_has_its_hash():
    """Of batches and of runs."""
    for table in ("manual_export_batches", "brief_batches", "exports_exportrun"):
        for (pk,) in rows(
            f"SELECT id FROM {table} WHERE content <> ''"
            " AND sha256 <> encode(sha256(convert_to(content, 'UTF8')), 'hex')"
        ):
            yield f"the text of {table} {pk} is not the one it has the hash of"


@invariant
def what_is_marked_exported_was_recorded():
    """By hand, in whichever store."""
    for (article,) in rows(
        "SELECT article_id FROM manual_reviews r WHERE status = 'exported'"
        " AND NOT EXISTS (SELECT FROM manual_export_items i WHERE i.article_id = r.article_id)"
        " AND NOT EXISTS (SELECT FROM brief_items i WHERE i.article_id = r.article_id AND i.source = 'manual')"
    ):
        yield f"{article} is marked exported and in no brief made by hand"


# --- Distillations -------------------------------------------------------------------------------


@invariant
def distillation_counters_are_the_rows_they_count():
    """Uses, reservations and topics of every distillation, and the uses of every topic."""
    yield from drift()


@invariant
def tasks_have_the_articles_they_count_and_reserve_nothing_in_the_end():
    """One article and one use for each slot that is done, and none for the others."""
    for task, generated, done, articles, uses, holding in rows(
        """
        SELECT t.id, t.generated_count,
               (SELECT count(*) FROM distillations_generationslot s WHERE s.task_id = t.id AND s.status = 'done'),
               (SELECT count(*) FROM articles a WHERE a.task_id = t.id),
               (SELECT count(*) FROM distillation_usage u WHERE u.task_id = t.id),
               (SELECT count(*) FROM distillations_generationslot s
                 WHERE s.task_id = t.id AND s.status IN ('reserved', 'generating'))
          FROM generation_tasks t WHERE NOT t.is_imported
        """
    ):
        if not generated == done == articles == uses:
            yield f"task {task}: counted {generated}, {done} slots done, {articles} articles, {uses} uses"
        if holding:
            yield f"task {task} still holds {holding} slots"
