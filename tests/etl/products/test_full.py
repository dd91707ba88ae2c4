"""The full compare: what the source no longer has goes, what it has in any form stays."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.models import Product, ProductChange, ProductSyncBatch, StagingProduct, Watermark
from etl.products import disappeared, services, sync
from etl.products.choices import Mode
from etl.products.disappeared import IdSet
from etl.products.local import WHITE_SPACE, LocalSource
from etl.products.normalise import readable_key
from etl.products.readings import key_pages
from etl.products.rehearsal import rehearse
from observed import NOON, counts, log, physical, products
from runs.errors import RunFailed

FULL = {"mode": Mode.FULL, "max_delete_percent": 100}
DECOMPOSED, COMPOSED = "Cafe\N{COMBINING ACUTE ACCENT}", "Café"


def deleted():
    """The products that are soft-deleted, by SKU."""
    return set(Product.objects.filter(is_deleted=True).values_list("sku", flat=True))


def test_what_the_source_no_longer_has_is_deleted_and_logged_once(stage, synced):
    for sku in "1234":
        stage(sku)
    synced()
    StagingProduct.objects.filter(style_no__in="24").delete()
    run = synced(**FULL, batch_size=1)
    assert (run.status, run.deleted, counts(run)) == ("completed", 2, {"read": 2, "unchanged": 2})
    assert set(products()) == {"1", "3"}
    assert log()[4:] == [("DELETE", "2"), ("DELETE", "4")]
    change = ProductChange.objects.first()
    assert (change.run_id, change.changed_fields) == (run.pk, {})
    assert change.old_version == change.new_version == Product.objects.get(sku="4").data_version
    assert list(ProductSyncBatch.objects.filter(run=run, phase="deletes").values_list("deleted", flat=True)) == [1, 1]


def test_a_second_full_run_writes_no_product_and_no_log_row(stage, synced):
    for sku in "123":
        stage(sku)
    synced()
    StagingProduct.objects.filter(style_no="2").delete()
    synced(**FULL)
    before = physical("products", "product_change_log")
    run = synced(**FULL)
    assert (run.deleted, counts(run)) == (0, {"read": 2, "unchanged": 2})
    assert physical("products", "product_change_log") == before


def test_products_that_stay_are_not_written_by_the_compare(stage, synced):
    for number in range(20):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no="7").delete()
    where = "SELECT id, ctid::text, xmin::text FROM products WHERE sku <> '7' ORDER BY id"
    with connection.cursor() as cursor:
        cursor.execute(where)
        before = cursor.fetchall()
        synced(**FULL)
        cursor.execute(where)
        assert cursor.fetchall() == before


def test_a_product_stays_while_any_row_carries_its_key_whatever_else_is_wrong_with_it(stage, synced):
    rows = {sku: stage(sku) for sku in ("bad", "huge", "untimed", "ancient", "waits", "gone")}
    spelled = stage(COMPOSED, minute=1)
    synced()

    def change(row, **cells):
        StagingProduct.objects.filter(pk=row.pk).update(**cells)

    change(rows["bad"], price="x")
    change(rows["huge"], description="x" * 1_100_000)
    change(rows["untimed"], src_updated_at=None)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_staging SET src_updated_at = '-infinity' WHERE style_no = 'ancient'")
    change(rows["waits"], src_updated_at=timezone.now() + timedelta(days=1))
    change(spelled, style_no=f" \u3000\t{DECOMPOSED}\n", price="x")
    rows["gone"].delete()
    run = synced(**FULL)
    assert (run.deleted, deleted()) == (1, {"gone"})


def test_a_key_behind_more_white_space_than_a_page_keeps_is_still_read(stage, synced):
    stage("1")
    stage("2")
    synced()
    StagingProduct.objects.filter(style_no="1").update(style_no=" \u3000\t\n" * 1_000 + "1")
    assert synced(**FULL).deleted == 0


def test_the_white_space_a_source_trims_is_that_of_the_normaliser():
    assert set(WHITE_SPACE) == {chr(code) for code in range(0x110000) if chr(code).isspace()}


@pytest.mark.parametrize("older", [False, True])
def test_a_returning_row_restores_even_when_its_time_is_older(stage, synced, older):
    stage("1")
    going = stage("2", minute=5)
    synced()
    going.delete()
    synced(**FULL)
    stage("2", minute=1 if older else 9)
    run = synced(**FULL)
    assert counts(run) == {"read": 2, "unchanged": 1, "updated": 1}
    assert log()[2:] == [("DELETE", "2"), ("RESTORE", "2")]
    assert set(products()) == {"1", "2"}


def test_more_deletes_than_allowed_fail_the_run_and_delete_nothing(stage, synced):
    for number in range(20):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no__in=["1", "2", "3"]).delete()
    before = physical("products", "product_change_log")
    run = synced(mode=Mode.FULL)
    assert (run.status, run.error, run.deleted) == ("failed", "too-many-deletes", 0)
    assert run.error_text == "3 / 20 = 15.0 % > 10 %"
    assert physical("products", "product_change_log") == before
    assert synced(mode=Mode.FULL, max_delete_percent=15).deleted == 3


def test_an_emptied_source_deletes_nothing_unasked(stage, synced):
    stage("1")
    synced()
    StagingProduct.objects.all().delete()
    assert synced(mode=Mode.FULL, max_delete_percent=99).error == "too-many-deletes"
    assert synced(**FULL).deleted == 1
    assert synced(mode=Mode.FULL, max_delete_percent=0).status == "completed"


def test_the_limit_counts_what_the_run_deleted_before_it_was_resumed(stage, synced, runs):
    for number in range(20):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no__in=["1", "2"]).delete()
    run = services.start_sync_here(services.SyncOptions(mode=Mode.FULL, batch_size=1), actor="test")

    while not runs.get(pk=run.pk).deleted:
        sync.run_product_sync(run.pk, hand_over_after=0)
    StagingProduct.objects.filter(style_no="3").delete()
    sync.run_product_sync(run.pk)
    run.refresh_from_db()
    # one is deleted, two would follow: 3 of 20, although only 2 of the 19 left
    assert (run.status, run.error_text, run.deleted) == ("failed", "3 / 20 = 15.0 % > 10 %", 1)


def test_it_reads_everything_and_moves_the_watermark_only_forward(stage, synced):
    old = stage("1", name="A")
    stage("2", minute=60)
    synced()
    mark = Watermark.objects.position_of("products_staging")
    StagingProduct.objects.filter(pk=old.pk).update(name="B")  # changed without a new timestamp
    assert counts(synced(lookback=timedelta())) == {}
    run = synced(**FULL)
    assert counts(run) == {"read": 2, "unchanged": 1, "updated": 1}
    assert run.resume is False
    assert Watermark.objects.position_of("products_staging") == mark
    stage("3", minute=90)
    synced(**FULL)
    assert Watermark.objects.position_of("products_staging").at == NOON + timedelta(minutes=90)


def test_rows_that_appear_while_it_compares_are_not_deleted(stage, synced, monkeypatch):
    for sku in "12345":
        stage(sku)
    synced()
    StagingProduct.objects.filter(style_no__in="12345").delete()
    stage("1")
    look, deletes = disappeared.Look.go_on, disappeared.delete_products

    def look_then_feed(self, *arguments):
        look(self, *arguments)
        if not StagingProduct.objects.filter(style_no="2").exists():
            stage("2")  # after the look and before the first delete

    def delete_then_feed(ids, **arguments):
        done = deletes(ids, **arguments)
        if not StagingProduct.objects.filter(style_no="5").exists():
            stage("5")  # between two batches of deletes
        return done

    monkeypatch.setattr(disappeared.Look, "go_on", look_then_feed)
    monkeypatch.setattr(disappeared, "delete_products", delete_then_feed)
    run = synced(**FULL, batch_size=1)
    assert (run.deleted, deleted()) == (2, {"3", "4"})


def test_a_product_that_someone_else_writes_meanwhile_is_not_deleted(stage, synced, monkeypatch):
    """A rejected row that is mended and retried while the compare is on its way."""
    stage("1")
    stage("2")
    synced()
    StagingProduct.objects.filter(style_no="2").delete()
    missing = disappeared.Look.missing

    def missing_then_write(self):
        found = missing(self)
        Product.objects.filter(sku="2").update(name="theirs", updated_at=timezone.now() + timedelta(seconds=1))
        return found

    monkeypatch.setattr(disappeared.Look, "missing", missing_then_write)
    assert synced(**FULL).deleted == 0
    assert products()["2"][0] == "theirs"


def test_a_write_between_finding_and_deleting_is_noticed(stage, synced, monkeypatch):
    for sku in "123":
        stage(sku)
    synced()
    StagingProduct.objects.filter(style_no__in="23").delete()
    still_missing = disappeared.Look.still_missing

    def then_write(self, ids):
        found = still_missing(self, ids)
        Product.objects.filter(sku="2", name="Mug").update(name="theirs", updated_at=timezone.now() + timedelta(days=1))
        return found

    monkeypatch.setattr(disappeared.Look, "still_missing", then_write)
    run = synced(**FULL)
    assert (run.deleted, deleted()) == (1, {"3"})
    assert run.deleted == ProductChange.objects.filter(change_type="DELETE").count()


def test_a_cancelled_run_stops_in_the_middle_of_the_look(stage, synced, runs, monkeypatch):
    monkeypatch.setattr("etl.products.readings.KEYS_PER_PAGE", 2)
    for number in range(9):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no="3").delete()
    run = services.start_sync_here(services.SyncOptions(**FULL), actor="test")
    pages = []

    def cancelling(source, after_id):
        for page in key_pages(source, after_id):
            pages.append(page)
            runs.cancel(run.pk)
            yield page

    monkeypatch.setattr(disappeared, "key_pages", cancelling)
    sync.run_product_sync(run.pk)
    assert (runs.get(pk=run.pk).status, len(pages), deleted()) == ("cancelled", 1, set())


def test_a_cancelled_run_stops_between_two_batches_of_deletes(stage, synced, runs):
    for number in range(9):
        stage(str(number))
    synced()
    StagingProduct.objects.exclude(style_no="3").delete()
    run = services.start_sync_here(services.SyncOptions(**FULL, batch_size=2), actor="test")
    sync.run_product_sync(run.pk, on_batch=lambda seen: seen.deleted and runs.cancel(run.pk))
    run.refresh_from_db()
    assert (run.status, run.deleted, len(deleted())) == ("cancelled", 2, 2)
    assert synced(**FULL).deleted == 6


def test_too_many_rejects_end_the_run_before_anything_is_deleted(stage, synced):
    stage("1")
    stage("2")
    synced()
    StagingProduct.objects.filter(style_no="2").delete()
    stage("bad", price="x")
    run = synced(**FULL, max_rejects=0)
    assert (run.error, deleted()) == ("too-many-rejects", set())


OUTCOME = ("read", "created", "updated", "unchanged", "superseded", "rejected", "deleted", "batches", "waiting")


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_dry_run_counts_exactly_what_the_real_run_deletes_and_shows_the_first(stage, synced, batch_size):
    for number in range(6):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no__in=["0", "1", "2"]).delete()
    synced(**FULL)
    stage("0", minute=1)
    stage("new", minute=2)
    StagingProduct.objects.filter(style_no__in=["3", "4"]).delete()
    told = services.SyncOptions(**FULL, dry_run=True, batch_size=batch_size).unsaved_run()
    before = physical("products", "product_change_log", "etl_productsyncrun")
    rehearse(told, LocalSource())
    assert physical("products", "product_change_log", "etl_productsyncrun") == before
    shown = [(each["type"], each["sku"]) for each in told.differences]
    assert shown == [("RESTORE", "0"), ("CREATE", "new"), ("DELETE", "3"), ("DELETE", "4")]
    done = synced(**FULL, batch_size=batch_size)
    assert {name: getattr(told, name) for name in OUTCOME} == {name: getattr(done, name) for name in OUTCOME}
    assert done.deleted == 2


def test_a_dry_run_stops_where_the_real_one_would(stage, synced):
    """2 of 5 would go, of which one is listed only once the run has read."""
    for number in range(4):
        stage(str(number))
    synced()
    StagingProduct.objects.filter(style_no__in=["0", "1"]).delete()
    stage("new", minute=2)
    told = services.SyncOptions(mode=Mode.FULL, max_delete_percent=39, dry_run=True).unsaved_run()
    with pytest.raises(RunFailed) as failure:
        rehearse(told, LocalSource())
    assert (failure.value.slug, failure.value.text) == ("too-many-deletes", "2 / 5 = 40.0 % > 39 %")
    assert told.differences[-1]["type"] == "DELETE"
    allowed = services.SyncOptions(mode=Mode.FULL, max_delete_percent=40, dry_run=True).unsaved_run()
    rehearse(allowed, LocalSource())
    assert allowed.deleted == 2
    assert synced(mode=Mode.FULL, max_delete_percent=39).error_text == failure.value.text
    assert synced(mode=Mode.FULL, max_delete_percent=40).deleted == 2


def test_a_dry_run_from_the_api_writes_its_own_row_and_deletes_nothing(stage, synced):
    stage("1")
    stage("2")
    synced()
    StagingProduct.objects.filter(style_no="2").delete()
    run = synced(**FULL, dry_run=True)
    assert (run.status, run.deleted, deleted()) == ("completed", 1, set())
    assert run.differences == [{"brand": "BRAND", "sku": "2", "type": "DELETE", "fields": {}}]


def test_a_key_is_read_as_the_normaliser_reads_it_or_not_at_all():
    assert readable_key(f" {DECOMPOSED}\u3000", 7) == (COMPOSED, "7")
    assert readable_key("a\u00a0b", "1") == ("a\u00a0b", "1")
    assert [readable_key("B", sku) for sku in (None, " ", "x" * 65, "a\0b", "\ud800", ["1"])] == [None] * 6


def test_an_id_set_holds_what_was_put_in_however_far_apart():
    ids = [0, 1, 7, 8, 65_535, 65_536, 2**40, 2**63 - 1]
    held = IdSet()
    held.update(ids)
    assert all(each in held for each in ids)
    assert not any(each in held for each in [2, 9, 65_537, 2**40 - 1, 2**62])


ROW = st.tuples(
    st.sampled_from(["1", "2", " 2", COMPOSED, DECOMPOSED]),
    st.sampled_from([None, 0, 1, 2, 10**7]),  # minute; None is untimed, the last one waits
    st.sampled_from(["A", "B"]),  # name
    st.sampled_from(["1", "x"]),  # price; "x" is bad
)


def spelled(sku):
    return sku.strip().replace(DECOMPOSED, COMPOSED)


@pytest.mark.django_db(transaction=True)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    feeds=st.lists(st.tuples(st.lists(ROW, max_size=5), st.sets(st.integers(0, 9))), min_size=1, max_size=3),
    batch_size=st.integers(1, 4),
)
def test_after_a_full_run_the_listed_products_are_exactly_those_the_source_has(feeds, batch_size):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE etl_productsyncshard, products, products_staging, product_change_log, etl_watermark,"
                       " etl_productsyncrun, etl_productsyncbatch, etl_rejectedrow")  # fmt: skip
    listed = set()
    for rows, going in feeds:
        ids = list(StagingProduct.objects.order_by("id").values_list("id", flat=True))
        StagingProduct.objects.filter(id__in=[ids[place] for place in going if place < len(ids)]).delete()
        for sku, minute, name, price in rows:
            at = None if minute is None else NOON + timedelta(minutes=minute)
            StagingProduct.objects.create(style_brand_no="B", style_no=sku, name=name, price=price, src_updated_at=at)
        run = services.start_sync_here(services.SyncOptions(**FULL, batch_size=batch_size), actor="test")
        sync.run_product_sync(run.pk)
        run.refresh_from_db()
        assert run.status == "completed", run.error_text
        due = StagingProduct.objects.filter(price="1", src_updated_at__lte=timezone.now())
        good = {spelled(sku) for sku in due.values_list("style_no", flat=True)}
        has = {spelled(sku) for sku in StagingProduct.objects.values_list("style_no", flat=True)}
        listed = (listed | good) & has
        assert set(products()) == listed
        assert run.deleted == ProductChange.objects.filter(run=run, change_type="DELETE").count()
        for product in Product.objects.all():
            types = list(
                ProductChange.objects.filter(product=product).order_by("id").values_list("change_type", flat=True)
            )
            assert types[0] == "CREATE"
            flips = [each for each in types if each in ("DELETE", "RESTORE")]
            assert flips == ["DELETE", "RESTORE"] * (len(flips) // 2) + ["DELETE"] * (len(flips) % 2)
            assert product.is_deleted is (len(flips) % 2 == 1)
