"""A dry run tells what a real run would do, and touches nothing."""

from datetime import timedelta

import pytest
from django.db import connection

from etl.models import Product, ProductSyncRun, RejectedRow
from etl.products import services, sync
from etl.products.local import LocalSource
from etl.products.rehearsal import rehearse
from observed import counts, everything, products
from runs.errors import RunFailed

OUTCOME = ("read", "created", "updated", "unchanged", "superseded", "rejected", "batches", "waiting", "watermark")


def rehearsed(**options):
    run = services.SyncOptions(dry_run=True, **options).unsaved_run()
    rehearse(run, LocalSource())
    return run


def sequences():
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
        return cursor.fetchall()


@pytest.fixture
def mixed_source(stage, synced):
    """A source with every case: new, changed, same, twice in and across batches, bad, mended, gone."""
    for number in range(4):
        stage(f"same{number}", minute=number)
    changing, mending, going = stage("changes"), stage("mends", price="x"), stage("goes", price="x")
    synced()
    changing.name = "changed"
    changing.save(update_fields=["name"])
    mending.price = "1"
    mending.save(update_fields=["price"])
    going.delete()
    for minute in range(5):
        stage("twice", minute=10 + minute, name=str(minute % 2))
    stage("bad", minute=20, price="-1")


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
@pytest.mark.parametrize("resume", [True, False])
def test_it_counts_exactly_what_the_real_run_then_does(mixed_source, synced, batch_size, resume):
    told = rehearsed(batch_size=batch_size, resume=resume)
    done = synced(batch_size=batch_size, resume=resume)
    assert {name: getattr(told, name) for name in OUTCOME} == {name: getattr(done, name) for name in OUTCOME}


def test_it_leaves_every_row_and_every_sequence_of_the_database_as_it_was(mixed_source):
    before = everything(), sequences()
    rehearsed()
    assert (everything(), sequences()) == before


def test_it_shows_the_first_differences_field_by_field(stage, synced):
    row = stage("1", name="A", price="1")
    synced()
    row.name, row.price = "B", "2"
    row.save()
    stage("2", minute=1)
    assert [
        (d["type"], d["sku"], {n: [str(v) for v in pair] for n, pair in d["fields"].items()})
        for d in rehearsed().differences
    ] == [("UPDATE", "1", {"name": ["A", "B"], "price": ["1.00", "2.00"]}), ("CREATE", "2", {})]


def test_a_product_that_a_later_page_changes_again_is_told_as_created_once(stage):
    stage("1", name="A")
    stage("1", name="B", minute=1)
    assert [each["type"] for each in rehearsed(batch_size=1).differences] == ["CREATE", "UPDATE"]


def test_it_stops_where_the_real_run_would_stop(stage):
    stage("bad", price="x")
    with pytest.raises(RunFailed) as failure:
        rehearsed(max_rejects=0)
    assert failure.value.slug == "too-many-rejects"


def test_as_a_run_it_writes_its_own_row_and_nothing_else(mixed_source):
    run = services.request_sync(services.SyncOptions(dry_run=True, batch_size=2), actor="test")
    before = [row for row in everything() if "productsyncrun" not in row[0]]
    sync.run_product_sync(run.pk)
    assert [row for row in everything() if "productsyncrun" not in row[0]] == before
    run.refresh_from_db()
    assert run.status == "completed"
    assert counts(run) == {"read": 12, "created": 2, "updated": 2, "unchanged": 5, "superseded": 2, "rejected": 1}
    assert run.differences[0]["sku"] in {"mends", "changes"}


def test_it_runs_beside_a_real_run(stage, runs):
    stage("1")
    services.start_sync_here(services.SyncOptions(), actor="test")
    dry = services.request_sync(services.SyncOptions(dry_run=True), actor="test")
    sync.run_product_sync(dry.pk)
    assert runs.get(pk=dry.pk).created == 1
    assert products() == {}


def test_an_open_reject_stays_open(stage, synced):
    row = stage("1", price="x")
    synced()
    row.price = "1"
    row.save()
    assert rehearsed(lookback=timedelta(days=1)).created == 1
    assert RejectedRow.objects.unresolved().count() == 1
    assert not Product.objects.exists()
    assert ProductSyncRun.objects.count() == 1
