"""Old rows go by age, on record, and by no other way."""

import json
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Max
from django.utils import timezone

from access import pruning
from access.models import AccessToken, AuditEvent, Pruning
from access.services import create_token, record
from etl.models import ProductChange, ProductSyncBatch, ProductSyncRun, RejectedRow
from processes import manage, manage_here, start_manage, wait_until
from runs.querysets import ClockTimestamp, seconds_from_now

DAY = timedelta(days=1)


def age(model, field, by):
    """Make rows older, past the triggers, as only the clock can."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        model.objects.update(**{field: F(field) - by})
        cursor.execute("SET session_replication_role = origin")


def change(sku="S", **values):
    return ProductChange.objects.create(
        product_id=1, brand_code="B", sku=sku, change_type="CREATE", new_version="v1:0", changed_fields={}, **values
    )


@pytest.fixture
def old_and_new(transactional_db, viewer):
    """Of everything prunable one row that is 100 days old and one that is not."""
    run = ProductSyncRun.objects.create(
        source="s", status="completed", started_at=seconds_from_now(-60), finished_at=ClockTimestamp()
    )

    def one(number):
        record(actor=viewer, action=f"thing.done-{number}")
        change(f"S{number}")
        ProductSyncBatch.objects.create(
            run=run, number=number, phase="pages", read=0, created=0, updated=0, unchanged=0, superseded=0, rejected=0,
            seconds=0, cursor_id=number,
        )  # fmt: skip
        RejectedRow.objects.create(
            source="s", src_id=number, reason="missing-key", raw={}, resolved_at=ClockTimestamp(), resolution="gone"
        )
        Session.objects.create(session_key=f"key{number}", session_data="", expire_date=timezone.now())
        AccessAttempt.objects.create(username=f"u{number}", ip_address="203.0.113.1", failures_since_start=1)
        AccessToken.objects.filter(pk=create_token(viewer)[0].pk).update(revoked_at=timezone.now())

    one(1)
    for model, field in (
        (AuditEvent, "created_at"), (ProductChange, "created_at"), (ProductSyncBatch, "created_at"),
        (RejectedRow, "resolved_at"), (Session, "expire_date"), (AccessAttempt, "attempt_time"),
        (AccessToken, "revoked_at"), (ProductSyncRun, "finished_at"),
    ):  # fmt: skip
        age(model, field, 100 * DAY)
    one(2)
    RejectedRow.objects.create(source="s", src_id=3, reason="missing-key", raw={}, created_at=seconds_from_now(-9e6))
    AuditEvent.objects.filter(action="never").count()


def counts():
    models = (ProductChange, ProductSyncBatch, RejectedRow, Session, AccessAttempt, AccessToken)
    return [model.objects.count() for model in models]


def test_what_is_old_goes_and_what_is_not_stays(old_and_new):
    done = manage("prune", "--older-than", "90d", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows.pop("audit") >= 1  # making the tokens is on record too
    old = ("sign-ins", "sessions", "tokens", "changes", "batches", "rejects")
    assert rows == dict.fromkeys(rows, 0) | dict.fromkeys(old, 1)  # of all other kinds there was nothing
    assert counts() == [1, 1, 2, 1, 1, 1]  # of the rejects the unresolved one stays whatever its age
    assert ProductChange.objects.get().sku == "S2"
    assert not AuditEvent.objects.filter(action="thing.done-1").exists()
    assert AuditEvent.objects.filter(action="thing.done-2").exists()
    assert ProductSyncRun.objects.count() == 1


def test_a_dry_run_counts_the_same_and_deletes_nothing(old_and_new):
    before = counts()
    said = manage_here("prune", "--older-than", "90d", "--dry-run", "--json")
    assert said.returncode == 0, said.stderr
    report = json.loads(said.stdout)
    assert report["dryRun"] is True
    assert report["rows"]["changes"] == 1
    assert counts() == before
    assert not AuditEvent.objects.filter(action__startswith="prune").exists()
    assert "changes" in manage_here("prune", "--older-than", "90d", "--dry-run").stdout


def test_only_what_was_named_goes_and_it_is_on_record(old_and_new):
    assert manage_here("prune", "--older-than", "12w", "--what", "changes", "--yes").returncode == 0
    assert counts() == [1, 2, 3, 2, 2, 2]
    started, finished = AuditEvent.objects.filter(action__startswith="prune").order_by("id")
    assert (started.action, finished.action, finished.actor_name) == ("prune.started", "prune.finished", "command")
    assert (finished.after["what"], finished.after["rows"]) == ("changes", 1)


def test_a_pruned_log_says_how_far_in_the_same_transaction(old_and_new):
    old = ProductChange.objects.get(sku="S1").pk
    before = timezone.now() - 90 * DAY
    pruning.prune("changes", before, actor="test")
    mark = Pruning.objects.get(table_name="product_change_log")
    assert (mark.up_to_id, mark.up_to_at) == (old, before)
    pruning.prune("changes", before - DAY, actor="test")  # nothing left of that age: the mark never moves back
    assert Pruning.objects.get(table_name="product_change_log").up_to_at == before
    pruning.prune("sessions", before, actor="test")
    assert set(Pruning.objects.values_list("table_name", flat=True)) == {"product_change_log"}


def test_a_batch_that_fails_leaves_neither_a_gap_nor_a_mark(old_and_new, monkeypatch):
    monkeypatch.setattr(pruning, "KEEP_WATERMARK", "SELECT 1/0, %s, %s, %s")
    with pytest.raises(DatabaseError):
        pruning.prune("changes", timezone.now() - 90 * DAY, actor="test")
    assert ProductChange.objects.count() == 2
    assert not Pruning.objects.exists()


def test_it_goes_on_batch_by_batch_past_young_rows_between_old_ones(transactional_db, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 3)
    for number in range(10):
        change(f"old {number}")
    age(ProductChange, "created_at", 100 * DAY)
    for number in range(2):
        change(f"young {number}")
    late = change("old too")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        ProductChange.objects.filter(pk=late.pk).update(created_at=seconds_from_now(-100 * 86400))
        cursor.execute("SET session_replication_role = origin")
    assert pruning.count("changes", timezone.now() - 90 * DAY).rows == 11
    assert pruning.prune("changes", timezone.now() - 90 * DAY, actor="test").rows == 11
    assert set(ProductChange.objects.values_list("sku", flat=True)) == {"young 0", "young 1"}
    assert Pruning.objects.get().up_to_id == late.pk
    assert AuditEvent.objects.aggregate(most=Max("id"))["most"]


def test_the_triggers_stay_for_everybody_else_before_and_after(old_and_new):
    def refused():
        with pytest.raises(DatabaseError), transaction.atomic():
            ProductChange.objects.all().delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.objects.all().delete()
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.objects.update(action="x")

    refused()
    for name in ("audit", "changes"):
        pruning.prune(name, timezone.now() - 90 * DAY, actor="test")
        refused()


def test_other_sessions_are_refused_even_while_it_runs(old_and_new):
    import pgtrigger
    import psycopg

    from processes import environment

    with transaction.atomic(), pgtrigger.ignore(*pruning._append_only_triggers(ProductChange)):
        assert ProductChange.objects.filter(sku="S1").delete()
        with psycopg.connect(environment()["DATABASE_URL"]) as other, pytest.raises(psycopg.Error, match="delete"):
            other.execute("DELETE FROM product_change_log WHERE sku = 'S2'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--older-than", "90d"], "--yes"),  # nobody sits at this terminal
        (["--older-than", "3d", "--yes"], "--force"),
        (["--older-than", "x", "--yes"], "not an age"),
        (["--older-than", "-5d", "--yes"], ""),
        (["--older-than", "999999d", "--yes"], "not an age"),
        (["--older-than", "90d", "--what", "products", "--yes"], "'products'"),
        (["--yes"], "--older-than"),
    ],
)
def test_a_wish_without_sense_is_refused(old_and_new, arguments, said):
    before = counts()
    done = manage_here("prune", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert counts() == before


def test_force_prunes_younger_rows_too(old_and_new):
    done = manage_here("prune", "--older-than", "0d", "--what", "changes", "--force", "--yes", "--json")
    assert json.loads(done.stdout)["rows"] == {"changes": 2}


@pytest.mark.long
def test_on_a_terminal_it_asks_first(old_and_new):
    import os
    import pty

    from processes import ROOT, environment

    for reply, left in (("no\n", 2), ("yes\n", 1)):
        master, terminal = pty.openpty()
        process = start_at(terminal, ROOT, environment())
        os.close(terminal)
        os.write(master, reply.encode())
        process.wait(timeout=60)
        os.close(master)
        assert ProductChange.objects.count() == left
        assert process.returncode == (1 if left == 2 else 0)


def start_at(terminal, root, environment):
    import subprocess
    import sys

    return subprocess.Popen(
        [sys.executable, "manage.py", "prune", "--older-than", "90d", "--what", "changes"],
        cwd=root, env=environment, stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def other_sessions():
    """How many sessions beside this one are in the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


@pytest.mark.long
def test_a_prune_that_is_killed_has_done_whole_batches_and_the_next_goes_on(transactional_db):
    ProductChange.objects.bulk_create(
        [
            ProductChange(
                product_id=1, brand_code="B", sku="S", change_type="CREATE", new_version="v1:0", changed_fields={}
            )
            for _ in range(30_000)
        ]
    )
    age(ProductChange, "created_at", 100 * DAY)
    process = start_manage("prune", "--older-than", "90d", "--what", "changes", "--yes")
    try:
        wait_until(lambda: ProductChange.objects.count() < 30_000, what="a batch")
    finally:
        process.kill()
        process.wait()
    # its backend may still be at the batch that nobody will commit, whose rows are passed over while it holds them
    wait_until(lambda: not other_sessions(), what="the dead one's session")
    left = ProductChange.objects.count()
    assert left % pruning.BATCH == 0
    if left < 30_000 and left:
        first = ProductChange.objects.order_by("id").values_list("id", flat=True)[0]
        assert Pruning.objects.get().up_to_id == first - 1
    assert pruning.prune("changes", timezone.now() - 90 * DAY, actor="test").rows == left
