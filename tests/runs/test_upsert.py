"""One statement that inserts or updates and knows which; reading first shown to fail beside it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from etl.models import DocumentStep
from runs.upsert import upsert
from stepping import a_task

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 50


def values(output):
    return {"input_hash": "0" * 64, "input": {"b": 1}, "output": output, "outcome": "done"}


def key(task):
    return {"run_id": task.pk, "retry": 0, "step": "parse", "key": ""}


def test_it_makes_the_row_and_then_brings_it_up_to_date():
    task = a_task()
    row, created = upsert(DocumentStep, unique=key(task), values=values({"n": "1"}))
    assert created
    later, created = upsert(DocumentStep, unique=key(task), values=values({"n": "2"}))
    assert not created
    assert (later.pk, later.output, later.created_at) == (row.pk, {"n": "2"}, row.created_at)
    assert later.updated_at > row.updated_at
    assert DocumentStep.objects.get().output == {"n": "2"}


def test_what_is_named_in_neither_stays_as_it_is():
    task = a_task()
    upsert(DocumentStep, unique=key(task), values=values(1) | {"tokens": 7})
    row, _created = upsert(DocumentStep, unique=key(task), values=values(2))
    assert (row.tokens, row.attempts) == (7, 1)


def test_without_values_the_row_is_only_made_sure_of():
    task = a_task()
    upsert(DocumentStep, unique=key(task), values=values(1))
    row, created = upsert(
        DocumentStep, unique=key(task) | {}, values={"outcome": "done", "input_hash": "1" * 64, "input": 1}
    )
    assert (created, row.output) == (False, 1)


def at_once(work):
    """What CLIENTS threads get, all of which begin together."""
    together = threading.Barrier(CLIENTS, timeout=30)

    def one(number):
        try:
            connection.ensure_connection()
            together.wait()
            return work(number)
        except IntegrityError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


@pytest.mark.long
def test_of_fifty_at_once_one_makes_the_row_and_nobody_fails():
    task = a_task()
    made = at_once(lambda number: upsert(DocumentStep, unique=key(task), values=values(number))[1])
    assert made.count(True) == 1
    assert made.count(False) == CLIENTS - 1
    assert DocumentStep.objects.count() == 1


@pytest.mark.long
def test_reading_first_fails_where_it_does_not():
    """The document's bug, in its own words: select, then insert."""
    task = a_task()
    looked = threading.Barrier(CLIENTS, timeout=30)

    def read_then_insert(number):
        there = DocumentStep.objects.filter(**key(task)).first()
        looked.wait()
        if there is None:
            DocumentStep.objects.create(**key(task), **values(number))
            return True
        return False

    made = at_once(read_then_insert)
    assert sum(isinstance(each, IntegrityError) for each in made) == CLIENTS - 1


def test_what_the_caller_did_not_name_is_read_as_a_query_would_read_it():
    task = a_task()
    upsert(DocumentStep, unique=key(task), values=values(1))
    row, _created = upsert(
        DocumentStep, unique=key(task), values={"outcome": "done", "input_hash": "1" * 64, "input": 1}
    )
    there = DocumentStep.objects.get()
    assert {name: getattr(row, name) for name in row.__dict__ if name != "_state"} == {
        name: getattr(there, name) for name in there.__dict__ if name != "_state"
    }
    assert (row._state.adding, row._state.db) == (False, "default")
