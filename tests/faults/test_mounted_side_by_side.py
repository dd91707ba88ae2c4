"""Many processes mount many results into one table, each of them all: every result stands once."""

import random

import pytest

import documents
from bench.clients import Clients
from conftest import make_user
from etl.documents import mounting
from etl.documents.models import TableMount
from faulting import how_often
from invariants import assert_all_hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(600)]

CLIENTS = how_often(short=4, ci=10, full=40)
RESULTS = how_often(short=10, ci=40, full=200)


def test_mounts_of_many_processes_into_one_table_lose_and_double_nothing():
    user = make_user("operator", role="operator")
    of = documents.project(user)
    into = documents.table(of, '{"sources": {}}')
    tasks = [documents.task(of, f'{{"n": {n}, "price": 1.10}}', filename=f"f{n}.pdf") for n in range(RESULTS)]

    def mount_all():
        for task in random.sample(tasks, len(tasks)):
            mounting.mount(task, table_id=into.pk, pointer="/sources", user=user, actor=user)

    with Clients(mount_all, CLIENTS) as clients:
        assert clients.done(times=1) == CLIENTS
    mounts = TableMount.objects.filter(table=into)
    print(f"{CLIENTS} processes, {CLIENTS * RESULTS} mounts asked for, {mounts.count()} made")
    assert mounts.count() == mounts.standing().count() == documents.version(into) == RESULTS
    assert sorted(mounts.values_list("table_version", flat=True)) == list(range(1, RESULTS + 1))
    for n in range(RESULTS):
        assert documents.at(into, "sources", f"f{n}") == f'{{"n": {n}, "price": 1.10}}'
    assert_all_hold()
