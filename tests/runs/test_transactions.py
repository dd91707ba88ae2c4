"""Whole transactions are retried, parts of one never are."""

import threading

import pytest
from django.db import OperationalError, connection, transaction

from etl.models import ProductSyncRun
from runs.errors import Contention
from runs.transactions import atomic_retried, retried


def deadlock():
    with connection.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$")


def test_two_transactions_that_lock_crosswise_both_end_well(runs, queued):
    first, second = queued(), queued()
    together = threading.Barrier(2)

    def bump(order):
        waited = []

        def work():
            runs.filter(pk=order[0].pk).update(progress=1)
            if not waited:
                waited.append(together.wait())
            runs.filter(pk=order[1].pk).update(progress=1)

        atomic_retried(work)
        connection.close()

    threads = [threading.Thread(target=bump, args=(order,)) for order in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert runs.filter(progress=1).count() == 2


def test_it_gives_up_after_the_configured_retries(transactional_db, settings):
    settings.DB_RETRY_ATTEMPTS = 2
    attempts = []
    with pytest.raises(Contention):
        atomic_retried(lambda: attempts.append(1) or deadlock())
    assert len(attempts) == 3


def test_inside_a_transaction_it_runs_once(transactional_db):
    attempts = []
    with pytest.raises(OperationalError), transaction.atomic():
        retried(lambda: attempts.append(1) or deadlock())
    assert len(attempts) == 1


def test_an_error_that_repeats_itself_is_not_retried(transactional_db):
    attempts = []
    with pytest.raises(OperationalError):
        retried(lambda: attempts.append(1) or _refuse("53100"))
    assert len(attempts) == 1


def test_a_lost_connection_is_replaced(transactional_db):
    attempts = []

    def work():
        attempts.append(1)
        with connection.cursor() as cursor:
            if len(attempts) == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return ProductSyncRun.objects.count()

    assert retried(work) == 0
    assert len(attempts) == 2


def _refuse(code):
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$")
