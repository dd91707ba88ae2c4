"""A rehash after a change of the normaliser: new versions, and nothing else."""

import pytest
from django.db import connection

from etl.models import Product, ProductChange, StagingProduct
from etl.products import rehash, services, sync
from etl.products.choices import Mode
from etl.products.local import LocalSource
from etl.products.rehearsal import rehearse
from observed import counts, log, physical

REHASH = {"mode": Mode.REHASH}


def versions():
    return dict(Product.objects.values_list("sku", "data_version"))


def make_old(*skus):
    """As an older normaliser would have left them."""
    chosen = Product.objects.filter(sku__in=skus) if skus else Product.objects.all()
    for product in chosen:
        Product.objects.filter(pk=product.pk).update(data_version=f"v0:{product.pk}")


@pytest.fixture
def stored(stage, synced):
    """Products with every kind of value; their versions as the normaliser made them."""
    stage("1", attrs_json='{"w": 1.10, "n": 1e2, "deep": [{"x": null, "y": 0.000001}], "款": "红||蓝"}')
    stage("2", price="19.9", description="<b>杯子</b>", image_url="https://example.org/a.jpg", on_sale="N")
    stage("3", name=None, tags_json="[2024, 2.50]", colors_concat="b||a", attrs_json=None)
    stage("Cafe\N{COMBINING ACUTE ACCENT}", minute=1)
    synced()
    return versions()


def test_every_product_gets_the_version_of_today_and_the_next_run_finds_all_unchanged(stored, synced):
    make_old()
    kept = list(Product.objects.order_by("id").values_list("id", "updated_at", "src_updated_at", "src_id"))
    run = synced(**REHASH, batch_size=3)
    assert (run.status, counts(run), run.batches) == ("completed", {"read": 4, "updated": 4}, 2)
    assert versions() == stored
    assert list(Product.objects.order_by("id").values_list("id", "updated_at", "src_updated_at", "src_id")) == kept
    assert ProductChange.objects.count() == 4
    again = synced(resume=False)
    assert counts(again) == {"read": 4, "unchanged": 4}
    assert (run.watermark, run.progress) == (None, 100)


def test_without_a_rehash_the_same_run_would_rewrite_everything(stored, synced):
    make_old()
    assert counts(synced(resume=False)) == {"read": 4, "updated": 4}


def test_a_product_whose_version_is_right_is_not_written(stored, synced):
    make_old("2")
    where = "SELECT id, ctid::text, xmin::text FROM products WHERE sku <> '2' ORDER BY id"
    with connection.cursor() as cursor:
        cursor.execute(where)
        before = cursor.fetchall()
        run = synced(**REHASH)
        cursor.execute(where)
        assert cursor.fetchall() == before
    assert counts(run) == {"read": 4, "updated": 1, "unchanged": 3}
    before = physical("products", "product_change_log")
    assert counts(synced(**REHASH)) == {"read": 4, "unchanged": 4}
    assert physical("products", "product_change_log") == before


def test_deleted_products_are_rehashed_too(stored, synced):
    Product.objects.filter(sku="2").update(is_deleted=True)
    make_old()
    synced(**REHASH)
    assert versions() == stored


def test_a_change_that_is_committed_meanwhile_is_not_overwritten(stored, synced, monkeypatch):
    make_old()
    write = rehash.write_versions

    def change_then_write(stale):
        if Product.objects.filter(sku="1", name="Mug").exists():
            monkeypatch.setattr(rehash, "write_versions", write)
            write_elsewhere("UPDATE products SET name = 'theirs', data_version = 'v1:theirs' WHERE sku = '1'")
        write(stale)

    monkeypatch.setattr(rehash, "write_versions", change_then_write)
    run = synced(**REHASH)
    assert (run.status, counts(run)) == ("completed", {"read": 4, "updated": 4})
    product = Product.objects.get(sku="1")
    assert product.name == "theirs"
    assert product.data_version not in {"v1:theirs", stored["1"]}  # read again, and hashed as it is now
    assert {sku: version for sku, version in versions().items() if sku != "1"} == {
        sku: version for sku, version in stored.items() if sku != "1"
    }


def write_elsewhere(statement):
    """Run and commit on a connection of its own."""
    import threading

    def run():
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_it_goes_on_where_it_was_and_can_be_cancelled(stored, runs):
    make_old()
    run = services.start_sync_here(services.SyncOptions(**REHASH, batch_size=1), actor="test")
    for read in (1, 2):
        sync.run_product_sync(run.pk, hand_over_after=0)
        run.refresh_from_db()
        assert (run.status, run.read) == ("pending", read)
    sync.run_product_sync(run.pk, on_batch=lambda seen: runs.cancel(run.pk))
    run.refresh_from_db()
    assert (run.status, run.read) == ("cancelled", 3)


def test_it_needs_no_source(stored, synced):
    make_old()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products_staging RENAME COLUMN style_no TO article")
    try:
        assert synced(**REHASH).status == "completed"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE products_staging RENAME COLUMN article TO style_no")
    assert versions() == stored


def test_a_dry_run_counts_and_shows_the_same_and_writes_nothing(stored, synced):
    make_old("1", "3")
    before = physical("products")
    told = services.SyncOptions(**REHASH, dry_run=True, batch_size=3).unsaved_run()
    rehearse(told, LocalSource())
    assert (counts(told), told.batches) == ({"read": 4, "updated": 2, "unchanged": 2}, 2)
    assert [(each["sku"], list(each["fields"])) for each in told.differences] == [
        ("1", ["data_version"]),
        ("3", ["data_version"]),
    ]
    assert counts(synced(**REHASH, dry_run=True)) == counts(told)
    assert physical("products") == before
    assert len(log()) == 4 == StagingProduct.objects.count()
