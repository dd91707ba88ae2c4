"""Product sync, page by page: what ends up in products, log, rejects and watermark."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from etl.models import Product, ProductChange, ProductSyncBatch, RejectedRow, StagingProduct, Watermark
from etl.products import services, sync
from etl.products.choices import Phase
from etl.products.local import LocalSource
from etl.products.positions import Position
from etl.products.source import SameRow
from observed import NOON, counts, log, open_rejects, physical, products


def test_it_takes_new_rows_over_and_logs_each_once(stage, synced):
    stage("1", name="Mug")
    stage("2", name="杯子", price="19.9")
    run = synced()
    assert run.status == "completed"
    assert run.progress == 100
    assert counts(run) == {"read": 2, "created": 2}
    assert products() == {"1": ("Mug", "199.00"), "2": ("杯子", "19.90")}
    assert log() == [("CREATE", "1"), ("CREATE", "2")]


def test_an_empty_source_is_a_finished_run(synced):
    run = synced()
    assert (run.status, run.read, run.batches, run.watermark) == ("completed", 0, 0, None)


def test_a_second_run_writes_no_product_and_no_log_row(stage, synced):
    for number in range(30):
        stage(str(number), minute=number)
    synced()
    before = physical("products", "product_change_log")
    run = synced(lookback=timedelta(days=1))
    assert counts(run) == {"read": 30, "unchanged": 30}
    assert physical("products", "product_change_log") == before


def test_rows_sharing_one_timestamp_are_each_read_exactly_once(stage, synced):
    stage("0")
    row = StagingProduct.objects.get()
    StagingProduct.objects.bulk_create(
        [
            StagingProduct(style_brand_no="BRAND", style_no=str(n), price="1", src_updated_at=row.src_updated_at)
            for n in range(1, 500)
        ]
    )
    run = synced(batch_size=7)
    assert counts(run) == {"read": 500, "created": 500}
    assert run.batches == 72
    assert Product.objects.count() == ProductChange.objects.count() == 500


def test_a_to_b_to_a_is_three_changes(stage, synced):
    row = stage(name="A")
    for minute, name in enumerate(["A", "B", "A"]):
        row.name, row.src_updated_at = name, NOON + timedelta(minutes=minute)
        row.save(update_fields=["name", "src_updated_at"])
        synced()
    assert log() == [("CREATE", "1"), ("UPDATE", "1"), ("UPDATE", "1")]
    versions = list(ProductChange.objects.order_by("id").values_list("old_version", "new_version"))
    assert versions[0][1] == versions[1][0] == versions[2][1]
    assert versions[1][1] == versions[2][0] != versions[0][1]


def test_the_log_says_which_fields_changed_from_what_to_what(stage, synced):
    row = stage(name="A", price="1", attrs_json='{"weight": 1.10}')
    synced()
    row.price, row.attrs_json, row.description = "2.5", '{"weight": 1.20}', "new"
    row.save()
    synced()
    change = ProductChange.objects.order_by("-id").first()
    assert {name: [str(old), str(new)] for name, (old, new) in change.changed_fields.items()} == {
        "price": ["1.00", "2.50"],
        "attributes": ["{'weight': Decimal('1.10')}", "{'weight': Decimal('1.20')}"],
        "description": ["None", "new"],
    }


def test_a_row_committed_late_with_an_older_timestamp_is_caught(stage, synced):
    stage("new", minute=10)
    synced()
    stage("late", minute=7)
    run = synced()
    assert run.created == 1
    assert set(products()) == {"new", "late"}


def test_without_look_back_only_rows_beyond_the_watermark_are_read(stage, synced):
    stage("new", minute=10)
    synced()
    stage("late", minute=7)
    assert synced(lookback=timedelta()).read == 0


def test_no_resume_reads_from_the_beginning_and_never_moves_the_watermark_back(stage, synced):
    stage("old", minute=-9000)
    stage("new", minute=10)
    synced()
    watermark = Watermark.objects.position_of("products_staging")
    run = synced(resume=False, batch_size=1)
    assert counts(run) == {"read": 2, "unchanged": 2}
    assert Watermark.objects.position_of("products_staging") == watermark


def test_an_older_row_never_overwrites_a_newer_one(stage, synced):
    stage("1", minute=10, name="new")
    synced()
    stage("1", minute=8, name="old")
    run = synced()
    assert counts(run) == {"read": 2, "unchanged": 1, "superseded": 1}
    assert products()["1"][0] == "new"


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_of_several_rows_of_one_key_the_newest_wins(stage, synced, batch_size):
    stage("1", minute=1, name="first")
    stage("1", minute=2, name="second")
    stage("1", minute=2, name="third")
    run = synced(batch_size=batch_size)
    assert run.read == 3
    assert products()["1"][0] == "third"


def test_superseded_rows_of_one_batch_are_counted(stage, synced):
    for minute in range(3):
        stage("1", minute=minute, name=str(minute))
    assert counts(synced()) == {"read": 3, "created": 1, "superseded": 2}


def test_a_key_written_differently_is_the_same_product(stage, synced):
    stage("café", minute=1, name="A")
    synced()
    stage("  cafe\u0301 ", minute=2, name="B")
    run = synced(lookback=timedelta())
    assert counts(run) == {"read": 1, "updated": 1}
    assert products() == {"café": ("B", "199.00")}


def test_a_key_that_looks_like_another_once_trimmed_never_takes_that_ones_state(stage, synced):
    stage("1", name="A")
    synced()
    Product.objects.create(brand_code="BRAND", sku=" 1", name="copied in", price=1, on_sale=True,
                           colors=[], tags=[], attributes={}, data_version="old")  # fmt: skip
    stage(" 1", minute=1, name="B")
    synced()
    assert Product.objects.get(sku="1").name == "B"
    assert Product.objects.get(sku=" 1").name == "copied in"


def test_rows_stamped_in_the_future_wait_and_are_counted(stage, synced):
    stage("now")
    stage("later", src_updated_at=timezone.now() + timedelta(hours=1))
    run = synced()
    assert (run.read, run.waiting) == (1, 1)
    assert run.watermark.at == NOON
    StagingProduct.objects.filter(style_no="later").update(src_updated_at=NOON)
    assert synced().created == 1


def test_a_bad_row_is_listed_and_the_rest_of_its_batch_goes_on(stage, synced):
    stage("good")
    stage("negative", price="-1")
    stage("nan", price="NaN")
    stage("nul", attrs_json='{"a": "x\\u0000y"}')
    stage("surrogate", tags_json='["\\ud83d"]')
    stage("text", attrs_json="size: M")
    stage("", name="no sku")
    stage("huge", description="x" * 10_000_000)
    stage("untimed", src_updated_at=None)
    run = synced()
    assert counts(run) == {"read": 9, "created": 1, "rejected": 8}
    assert set(products()) == {"good"}
    assert open_rejects() == {
        "negative": "price-negative",
        "nan": "price-not-finite",
        "nul": "nul-character",
        "surrogate": "lone-surrogate",
        "text": "invalid-json",
        "": "missing-key",
        "huge": "row-too-large",
        "untimed": "missing-timestamp",
    }


@pytest.mark.parametrize("moment", ["-infinity", "0044-03-15 12:00:00+00 BC"])
def test_a_timestamp_no_datetime_can_hold_counts_as_missing(stage, synced, moment):
    row = stage("ides")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_staging SET src_updated_at = %s WHERE id = %s", [moment, row.pk])
    synced()
    assert open_rejects() == {"ides": "missing-timestamp"}


def test_a_reject_resolves_itself_when_its_row_is_mended(stage, synced):
    stage("new", minute=60)
    row = stage("bad", price="x", minute=0)
    synced()
    row.price = "5"
    row.save(update_fields=["price"])  # in place: its timestamp lies far before the watermark
    run = synced()
    assert run.created == 1
    reject = RejectedRow.objects.get()
    assert (reject.resolution, reject.resolved_by_run_id) == ("mended", run.pk)
    assert products()["bad"] == ("Mug", "5.00")


def test_a_reject_resolves_itself_when_its_row_is_gone(stage, synced):
    stage("new", minute=60)
    row = stage("bad", price="x")
    synced()
    row.delete()
    synced()
    assert RejectedRow.objects.get().resolution == "gone"


def test_a_row_that_stays_bad_is_counted_again_but_its_entry_is_not_rewritten(stage, synced):
    stage("new", minute=60)
    stage("bad", price="x")
    synced()
    before = physical("etl_rejectedrow")
    run = synced(lookback=timedelta())
    assert counts(run) == {"read": 1, "rejected": 1}
    assert physical("etl_rejectedrow") == before


def test_a_reject_that_the_look_back_reads_anyway_makes_no_batch_of_its_own(stage, synced):
    stage("bad", price="x")
    synced()
    run = synced()
    assert (run.read, run.rejected, run.batches) == (1, 1, 1)


def test_a_mended_row_older_than_a_good_one_of_its_product_does_not_win(stage, synced):
    old = stage("1", minute=0, name="old", price="x")
    stage("1", minute=60, name="new")
    synced()
    old.price = "1"
    old.save(update_fields=["price"])
    run = synced(lookback=timedelta())
    assert counts(run) == {"read": 1, "superseded": 1}
    assert products()["1"] == ("new", "199.00")
    assert open_rejects() == {}


def test_a_mended_row_wins_while_the_newer_one_of_its_product_is_bad(stage, synced):
    old = stage("1", minute=0, name="old", price="x")
    stage("1", minute=60, name="new", price="y")
    synced()
    old.price = "1"
    old.save(update_fields=["price"])
    synced(lookback=timedelta())
    assert products()["1"] == ("old", "1.00")
    assert len(open_rejects()) == 1


def test_a_row_the_database_itself_refuses_becomes_a_reject(stage, synced):
    for number in range(9):
        stage(str(number), minute=number)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products ADD CONSTRAINT house_rule CHECK (sku NOT IN ('3', '7'))")
    try:
        run = synced()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE products DROP CONSTRAINT house_rule")
    assert counts(run) == {"read": 9, "created": 7, "rejected": 2}
    assert open_rejects() == {"3": "unstorable", "7": "unstorable"}


def test_a_deleted_product_that_returns_is_restored(stage, synced):
    stage("1")
    synced()
    Product.objects.update(is_deleted=True)
    run = synced()
    assert counts(run) == {"read": 1, "updated": 1}
    assert log() == [("CREATE", "1"), ("RESTORE", "1")]
    assert not Product.objects.get().is_deleted


def test_max_batches_stops_and_the_next_run_goes_on(stage, synced):
    for number in range(5):
        stage(str(number), minute=10 * number)
    assert counts(synced(batch_size=2, max_batches=1)) == {"read": 2, "created": 2}
    assert counts(synced(batch_size=2)) == {"read": 4, "created": 3, "unchanged": 1}


def test_retried_rejects_do_not_use_up_the_batches_asked_for(stage, synced):
    stage("bad", price="x", minute=-60)
    stage("old")
    synced()
    stage("new", minute=10)
    assert synced(max_batches=1, lookback=timedelta()).created == 1


def test_max_rejects_stops_a_run_that_goes_wrong_but_keeps_what_is_done(stage, synced):
    stage("good", minute=0)
    for minute in range(1, 4):
        stage(f"bad{minute}", minute=minute, price="x")
    run = synced(batch_size=1, max_rejects=1)
    assert (run.status, run.error, run.rejected) == ("failed", "too-many-rejects", 2)
    assert set(products()) == {"good"}


def test_a_watermark_moved_by_someone_else_stops_the_run(stage, runs):
    for number in range(3):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(batch_size=1), actor="test")

    def move(seen):
        if seen.batches == 1:
            Watermark.objects.update(last_processed_id=0)

    sync.run_product_sync(run.pk, on_batch=move)
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "watermark-moved")
    assert len(products()) == 1


def test_a_cancelled_run_stops_at_its_next_batch(stage, runs):
    for number in range(3):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(batch_size=1), actor="test")
    sync.run_product_sync(run.pk, on_batch=lambda seen: runs.cancel(run.pk))
    run.refresh_from_db()
    assert (run.status, run.read, len(products())) == ("cancelled", 1, 1)


def test_a_long_run_hands_over_and_goes_on_where_it_was(stage, runs):
    for number in range(4):
        stage(str(number), minute=number)
    run = services.start_sync_here(services.SyncOptions(batch_size=1), actor="test")
    for _ in range(3):
        sync.run_product_sync(run.pk, hand_over_after=0)
        run.refresh_from_db()
        assert (run.status, run.attempt) == ("pending", 0)
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    assert (run.status, run.read, run.created) == ("completed", 4, 4)
    assert list(ProductSyncBatch.objects.values_list("number", flat=True)) == [1, 2, 3, 4]


def test_a_product_written_by_someone_else_in_between_is_read_again(stage, synced, monkeypatch):
    stage("1", name="A")
    stored = LocalSource.page

    def page_then_foreign_write(self, *args, **options):
        rows = stored(self, *args, **options)
        if not Product.objects.exists():
            Product.objects.create(brand_code="BRAND", sku="1", name="theirs", price=1, on_sale=True, colors=[],
                                   tags=[], attributes={}, data_version="x",
                                   src_updated_at=NOON + timedelta(days=1), src_id=1)  # fmt: skip
        return rows

    monkeypatch.setattr(LocalSource, "page", page_then_foreign_write)
    run = synced()
    assert counts(run) == {"read": 1, "superseded": 1}
    assert products()["1"][0] == "theirs"


def test_a_page_is_bounded_in_bytes_as_well_as_in_rows(stage, synced, monkeypatch):
    monkeypatch.setattr("etl.products.local.PAGE_MAX_BYTES", 3_000)
    for number in range(6):
        stage(str(number), minute=number, description="x" * 1_000)
    run = synced()
    assert (run.created, run.batches) == (6, 2)


def test_the_run_accounts_for_every_batch(stage, synced):
    for number in range(5):
        stage(str(number), minute=number)
    stage("bad", price="x", minute=9)
    run = synced(batch_size=2)
    batches = ProductSyncBatch.objects.filter(run=run)
    assert sum(batch.read for batch in batches) == run.read == 6
    assert {batch.phase for batch in batches} == {Phase.PAGES}
    assert run.phase == Phase.DONE
    assert run.seconds > 0


def test_the_page_query_walks_the_index_and_not_the_table(stage, synced, monkeypatch):
    StagingProduct.objects.bulk_create(
        [
            StagingProduct(style_brand_no="B", style_no=str(n), price="1", src_updated_at=NOON + timedelta(seconds=n))
            for n in range(5_000)
        ]
    )
    synced()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE products_staging, products")
    plans = []

    class Explaining(psycopg.Cursor):
        def execute(self, query, params, **options):
            super().execute(psycopg.sql.SQL("EXPLAIN ") + query, params, prepare=False)
            plans.append("\n".join(row[0] for row in self.fetchall()))
            return super().execute(query, params, **options)

    source = LocalSource()
    source.check()
    with monkeypatch.context() as patched:
        patched.setattr("etl.products.local.psycopg.Cursor", Explaining)
        source.page(Position(NOON + timedelta(seconds=4_000), 0), timezone.now(), 100, skip_same=True)
    assert "idx_products_staging_cursor" in plans[0]
    assert "idx_products_brand_sku" in plans[0]
    assert "Seq Scan" not in plans[0]


def test_within_a_batch_the_log_follows_the_source(stage, synced):
    skus = [str(number * 7919 % 101) for number in range(100)]
    for minute, sku in enumerate(skus):
        stage(sku, minute=minute)
    synced()
    assert log() == [("CREATE", sku) for sku in skus]


def same_rows(after=None):
    return [row for row in LocalSource().page(after, timezone.now(), 1000, skip_same=True) if isinstance(row, SameRow)]


def test_a_row_whose_text_did_not_change_never_leaves_the_database(stage, synced):
    stage("1")
    stage("2", attrs_json='{"a": 1}')
    assert same_rows() == []
    synced()
    assert [row.sku for row in same_rows()] == ["1", "2"]
    StagingProduct.objects.filter(style_no="2").update(attrs_json='{"a": 2}')
    assert [row.sku for row in same_rows()] == ["1"]
    assert counts(synced()) == {"read": 2, "unchanged": 1, "updated": 1}


@pytest.mark.parametrize(
    "other",
    [{"is_deleted": True}, {"data_version": "v0:old"}, {"source_fingerprint": None}, {"source_fingerprint": 1}],
)
def test_a_row_is_read_unless_everything_says_it_is_the_same(stage, synced, other):
    stage("1")
    synced()
    Product.objects.update(**other)
    assert same_rows() == []


def test_moving_text_from_one_column_to_the_next_is_a_change(stage, synced):
    row = stage("1", description="ab", image_url="c")
    synced()
    StagingProduct.objects.filter(pk=row.pk).update(description="a", image_url="bc")
    assert same_rows() == []
    StagingProduct.objects.filter(pk=row.pk).update(description="ab", image_url=None)
    assert same_rows() == []


def test_a_row_unchanged_in_other_letters_is_read_once_and_not_logged(stage, synced):
    row = stage("1", price="199")
    synced()
    before = physical("product_change_log")
    StagingProduct.objects.filter(pk=row.pk).update(price="199.00")
    assert counts(synced()) == {"read": 1, "unchanged": 1}
    assert [each.sku for each in same_rows()] == ["1"]
    assert physical("product_change_log") == before


def test_of_rows_of_one_key_the_newest_wins_also_when_it_is_the_one_not_read(stage, synced):
    stage("1", name="old", minute=1)
    stage("1", name="new", minute=2)
    assert counts(synced()) == {"read": 2, "created": 1, "superseded": 1}
    StagingProduct.objects.update(src_updated_at=F("src_updated_at") + timedelta(hours=1))
    before = physical("products", "product_change_log")
    assert counts(synced()) == {"read": 2, "unchanged": 1, "superseded": 1}
    assert physical("products", "product_change_log") == before


def test_a_dry_run_knows_what_it_would_have_written(stage, synced):
    """The database knows of no change, but the dry run would have made one in the page before."""
    stage("1", name="A", minute=1)
    synced()
    stage("1", name="B", minute=2)
    stage("1", name="A", minute=3)
    rehearsed = synced(dry_run=True, resume=False, batch_size=1)
    assert counts(rehearsed) == counts(synced(resume=False, batch_size=1))
