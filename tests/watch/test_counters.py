"""Counters are added to by every process, and cost the work nothing."""

import os
import threading

import pytest
from django.db import OperationalError, connection

from processes import manage, python, wait_until
from watch import counters
from watch.models import Counter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_pending():
    counters._forget()
    yield
    counters._forget()


def value(name, **labels):
    return sum(Counter.objects.filter(name=name, labels__contains=labels).values_list("value", flat=True))


def test_what_is_added_in_memory_is_handed_over_at_once_and_only_once():
    for _ in range(3):
        counters.add("apples", colour="red")
    counters.add("apples", 2.5, colour="green")
    assert Counter.objects.count() == 0
    counters.flush()
    counters.flush()
    assert (value("apples", colour="red"), value("apples", colour="green")) == (3, 2.5)
    assert counters.pending() == 0


@pytest.mark.long
def test_two_processes_and_two_threads_add_to_one_number():
    add = "\nfrom watch import counters\nfor _ in range(100): counters.add('shared', way='process')\ncounters.flush()"
    threads = [
        threading.Thread(target=lambda: [counters.add("shared", way="thread") for _ in range(500)]) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    assert python(add).returncode == 0
    for thread in threads:
        thread.join()
    counters.flush()
    assert (value("shared", way="process"), value("shared", way="thread")) == (100, 1000)


@pytest.mark.long
def test_a_process_hands_over_by_itself_after_a_while_and_at_its_end():
    wait = "\nimport time\nfrom watch import counters\ncounters.add('timed')\nprint(1, flush=True)\ntime.sleep(60)"
    import subprocess
    import sys

    from processes import ROOT, environment

    process = subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup(){wait}"], cwd=ROOT,
        env=environment(METRICS_FLUSH_SECONDS="0.2", DJANGO_SETTINGS_MODULE="config.settings"),
    )  # fmt: skip
    try:
        wait_until(lambda: value("timed") == 1)
    finally:
        process.kill()
        process.wait()
    said = python("\nfrom watch import counters\ncounters.add('last words')", METRICS_FLUSH_SECONDS="3600")
    assert (said.returncode, value("last words")) == (0, 1)


def test_a_fork_begins_at_zero():
    counters.add("parent")
    child = os.fork()
    if child == 0:
        os._exit(counters.pending())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counters.pending() == 1


def test_what_cannot_be_handed_over_is_kept_and_nobody_is_bothered():
    counters.add("kept")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE watch_counter RENAME TO watch_counter_away")
    try:
        assert counters.flush_quietly() is False
        assert counters.pending() == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE watch_counter_away RENAME TO watch_counter")
    counters.flush()
    assert value("kept") == 1


@pytest.mark.long
def test_the_work_of_a_process_whose_database_is_away_is_done_all_the_same():
    work = "\nfrom watch import counters\ncounters.add('lost')\nprint('done')"
    said = python(work, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", METRICS_FLUSH_SECONDS="5")
    assert (said.stdout, said.returncode) == ("done\n", 0), said.stderr


def test_a_runaway_label_fills_no_memory(monkeypatch):
    monkeypatch.setattr(counters, "MOST_KEYS", 10)
    for number in range(100):
        counters.add("runaway", label=str(number))
    assert counters.pending() == 10


def test_conflicts_and_given_up_transactions_are_counted(settings):
    from runs.errors import Contention
    from runs.transactions import atomic_retried

    settings.DB_RETRY_ATTEMPTS = 1

    def deadlock():
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(Contention):
        atomic_retried(deadlock)
    counters.flush()
    assert value("pressroom_transaction_conflicts_total", cause="40P01") == 2
    assert value("pressroom_transactions_failed_total") == 1


def test_expired_leases_and_fenced_writes_are_counted():
    from etl.models import ProductSyncRun
    from runs import reaper
    from runs.lease import Lease
    from runs.querysets import seconds_from_now

    def held(source):
        lease = Lease.take(ProductSyncRun, ProductSyncRun.objects.create(source=source).pk)
        ProductSyncRun.objects.filter(pk=lease.pk).update(lease_until=seconds_from_now(-1))
        return lease

    held("found by the reaper")
    reaper.reap()
    lost = held("claimed by another worker")
    assert Lease.take(ProductSyncRun, lost.pk) is not None
    with lost:
        lost.advance()
    counters.flush()
    kind = {"kind": "etl.productsyncrun"}
    assert value("pressroom_run_lease_expiries_total", **kind) == 2
    assert value("pressroom_run_fenced_writes_total", **kind) == 1


@pytest.mark.long
def test_a_command_counts_too():
    assert manage("migrate", "--check", METRICS_FLUSH_SECONDS="1").returncode == 0
    with pytest.raises(OperationalError), connection.cursor() as cursor:  # a plain error is no conflict
        cursor.execute("SET statement_timeout = '1ms'; SELECT pg_sleep(1)")
    connection.close()
    assert counters.pending() == 0
