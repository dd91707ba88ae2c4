"""Many at one table at once: nothing is lost, nothing is done twice; the naive way loses beside it."""

import json

import pytest
from django.db import connection

import documents
from etl.documents import mounting, tables
from etl.documents.models import Table, TableMount
from etl.documents.mounting import Mounted
from etl.documents.refusals import Outdated
from runs.errors import Conflict

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 40


@pytest.fixture
def tasks(project):
    return [documents.task(project, f'{{"n": {n}, "price": 1.10}}', filename=f"f{n}.pdf") for n in range(WRITERS)]


@pytest.fixture
def mount(table, operator):
    return lambda task, **wishes: mounting.mount(
        task, **({"table_id": table.pk, "pointer": "/sources"} | wishes), user=operator, actor=operator
    )


def keys(table, *path):
    return set(json.loads(documents.at(table, *path)))


def read_change_write(table, task):
    """How it was done before: no lock, no version."""

    def naive():
        data = json.loads(documents.document(table))
        data["sources"][task.filename] = {"n": task.pk}
        with connection.cursor() as cursor:
            cursor.execute('UPDATE "table" SET data = %s WHERE id = %s', [json.dumps(data), table.pk])

    return naive


def test_forty_mounts_at_once_keep_forty_keys(table, tasks, mount):
    done = documents.all_at_once(*[lambda task=task: mount(task) for task in tasks])
    assert {type(each) for each in done} == {Mounted}
    assert keys(table, "sources") == {f"f{n}" for n in range(WRITERS)}
    assert documents.version(table) == WRITERS
    assert sorted(each.table_version for each in done) == list(range(1, WRITERS + 1))


def test_reading_changing_and_writing_is_seen_to_lose(table, tasks):
    documents.all_at_once(*[read_change_write(table, task) for task in tasks])
    kept = len(keys(table, "sources"))
    print(f"read, change, write: {kept} of {WRITERS} kept")
    assert kept < WRITERS


def test_the_same_mount_ten_times_at_once_is_made_once(table, task, mount):
    done = documents.all_at_once(*[lambda: mount(task)] * 10)
    assert sorted(each.created for each in done) == [False] * 9 + [True]
    assert {each.mount_id for each in done} == {TableMount.objects.get().pk}
    assert documents.version(table) == 1


def test_ten_results_for_one_key_at_once_are_one_mount_and_nine_conflicts(table, project, mount):
    same = [documents.task(project, f'{{"n": {n}}}') for n in range(10)]
    done = documents.all_at_once(*[lambda task=task: mount(task) for task in same])
    assert [type(each) for each in done].count(Mounted) == 1
    assert {each.slug for each in done if isinstance(each, Exception)} == {"path-conflict"}
    assert (documents.version(table), TableMount.objects.count()) == (1, 1)


def test_ten_replacements_at_once_each_remember_the_one_before(table, project, mount):
    same = [documents.task(project, f'{{"n": {n}}}') for n in range(10)]
    documents.all_at_once(*[lambda task=task: mount(task, on_conflict="replace") for task in same])
    assert documents.version(table) == 10
    for _ in same:
        mounting.unmount(TableMount.objects.standing().get(), actor="test")
    assert documents.at(table, "sources") == "{}"
    assert not TableMount.objects.standing().exists()


def test_mounts_unmounts_and_edits_race_and_every_version_is_somebodys(table, tasks, mount, operator):
    standing = [TableMount.objects.get(pk=mount(task).mount_id) for task in tasks[:8]]
    deeds = (
        [lambda each=each: mounting.unmount(each, actor=operator) for each in standing]
        + [lambda task=task: mount(task) for task in tasks[8:16]]
        + [
            lambda n=n: tables.create_context_data(table, "/sources", [(f"by hand {n}", n)], actor=operator)
            for n in range(8)
        ]
        + [lambda: tables.delete_context_data(table, "", ["text"], actor=operator)] * 4
    )
    done = documents.all_at_once(*deeds)
    refused = [each for each in done if isinstance(each, Exception)]
    assert [each.slug for each in refused] == ["keys-missing"] * 3
    assert keys(table, "sources") == {f"f{n}" for n in range(8, 16)} | {f"by hand {n}" for n in range(8)}
    assert documents.version(table) == 8 + 8 + 8 + 8 + 1


def test_mounting_many_side_by_side_is_all_or_nothing_each(table, tasks, operator):
    """Overlapping lots in opposite orders: no deadlock, one winner for what both want."""

    def lot(chosen):
        return lambda: mounting.mount_many(
            chosen, table_id=table.pk, pointer="/sources", on_conflict="skip", user=operator, actor=operator
        )

    done = documents.all_at_once(*[lot(tasks[:20]), lot(tasks[19::-1]), lot(tasks[10:30]), lot(tasks[29:9:-1])])
    assert not [each for each in done if isinstance(each, Exception)]
    assert documents.version(table) == 30
    assert TableMount.objects.standing().count() == 30


def test_two_replacements_of_one_version_are_one_and_a_refusal(table, operator):
    done = documents.all_at_once(
        *[lambda n=n: tables.replace_data(table, {"n": n}, version=0, actor=operator) for n in range(5)]
    )
    assert [type(each) for each in done].count(Outdated) == 4
    assert documents.version(table) == 1


def test_a_table_deleted_while_it_is_mounted_into_is_gone_or_refused(table, task, mount, operator):
    deleted, mounted = documents.all_at_once(lambda: tables.delete_table(table, actor=operator), lambda: mount(task))
    if isinstance(mounted, Mounted):
        assert isinstance(deleted, Conflict)
        assert documents.version(table) == 1
    else:
        assert mounted.slug == "table-not-found"
        assert not Table.objects.filter(pk=table.pk).exists()
