"""A page that was read while the one before it was being written is as good as one read after it."""

import sys
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from etl.models import Product, ProductChange
from etl.products.databases import SourceUnreachable
from etl.products.local import LocalSource
from observed import counts, log, products


@pytest.fixture
def readers(monkeypatch):
    """Names of the threads that read pages, in order."""
    names = []
    page = LocalSource.page

    def spied(self, *arguments, **options):
        names.append(threading.current_thread().name.partition("_")[0])
        return page(self, *arguments, **options)

    monkeypatch.setattr(LocalSource, "page", spied)
    return names


def test_every_page_but_the_first_is_read_ahead(stage, synced, readers):
    for number in range(4):
        stage(str(number), minute=number)
    assert counts(synced(batch_size=1)) == {"read": 4, "created": 4}
    assert readers == ["MainThread", *["read-ahead"] * 4, "MainThread"]  # the end is looked at anew


def test_a_run_of_so_many_batches_reads_nothing_beyond_them(stage, synced, readers):
    for number in range(3):
        stage(str(number), minute=number)
    assert counts(synced(batch_size=1, max_batches=2)) == {"read": 2, "created": 2}
    assert readers == ["MainThread"] * 2


def test_a_product_of_two_neighbouring_pages_is_created_by_one_and_changed_by_the_other(stage, synced, readers):
    stage("1", name="first", minute=1)
    stage("1", name="second", minute=2)
    assert counts(synced(batch_size=1)) == {"read": 2, "created": 1, "updated": 1}
    assert log() == [("CREATE", "1"), ("UPDATE", "1")]
    assert readers == ["MainThread", "read-ahead", "read-ahead", "MainThread"]  # no page was read twice


def test_a_text_that_was_the_stored_one_when_it_was_read_ahead_is_no_longer_when_its_turn_comes(stage, synced):
    stage("1", name="A", minute=1)
    synced()
    stage("1", name="B", minute=2)
    stage("1", name="A", minute=3)
    run = synced(batch_size=1, lookback=timedelta(0))
    assert counts(run) == {"read": 2, "updated": 2}
    assert log() == [("CREATE", "1"), ("UPDATE", "1"), ("UPDATE", "1")]
    assert products() == {"1": ("A", "199.00")}
    newest = ProductChange.objects.order_by("-id")[0]
    assert newest.new_version == Product.objects.get().data_version


def test_a_page_that_cannot_be_read_ahead_is_read_again_where_errors_are_dealt_with(stage, synced, monkeypatch):
    for number in range(3):
        stage(str(number), minute=number)
    page = LocalSource.page
    failed = []

    def failing_ahead(self, *arguments, **options):
        if threading.current_thread() is not threading.main_thread():
            failed.append(True)
            raise DatabaseError("gone")
        return page(self, *arguments, **options)

    monkeypatch.setattr(LocalSource, "page", failing_ahead)
    assert counts(synced(batch_size=1)) == {"read": 3, "created": 3}
    assert failed


def test_nothing_is_left_of_it(stage, synced):
    stage("1")
    stage("2", minute=1)
    interval = sys.getswitchinterval()
    synced(batch_size=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)
    assert sys.getswitchinterval() == interval
    assert not [each for each in threading.enumerate() if each.name.startswith("read-ahead")]


def test_a_source_that_is_away_is_waited_for_once(stage, synced, monkeypatch):
    stage("1")
    stage("2", minute=1)
    page = LocalSource.page
    asked = []

    def away(self, *arguments, **options):
        asked.append(threading.current_thread().name.partition("_")[0])
        if len(asked) > 1:
            raise SourceUnreachable("no answer")
        return page(self, *arguments, **options)

    monkeypatch.setattr(LocalSource, "page", away)
    run = synced(batch_size=1)
    assert (run.status, run.error, run.read) == ("pending", "source-unreachable", 1)
    assert asked == ["MainThread", "read-ahead"]
