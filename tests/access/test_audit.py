"""The audit log: written with what it describes, and never rewritten."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from structlog.contextvars import bound_contextvars

from access.models import AuditEvent
from access.services import record, timeline
from api.codec import decode


@pytest.mark.django_db
def test_an_event_holds_plain_values_that_outlive_their_objects(operator):
    group = Group.objects.create(name="editors")
    with bound_contextvars(request_id="abc-1"):
        event = record(actor=operator, action="group.made", target=group, before=None, after=decode('{"price":1.10}'))
    operator_id, group_id = operator.pk, group.pk
    operator.delete()
    group.delete()
    event.refresh_from_db()
    assert (event.actor_id, event.actor_name) == (operator_id, "operator")
    assert (event.object_type, event.object_id, event.object_name) == ("auth.group", str(group_id), "editors")
    assert (event.before, str(event.after["price"]), event.request_id) == (None, "1.10", "abc-1")
    assert AuditEvent.objects.filter(before__isnull=True, pk=event.pk).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("actor", "name"), [("schedule", "schedule"), (None, "")])
def test_an_actor_may_be_a_word_or_nobody(actor, name):
    event = record(actor=actor, action="thing.done")
    assert (event.actor_id, event.actor_name, event.object_type, event.request_id) == (None, name, "", "")


@pytest.mark.django_db
def test_a_timeline_is_newest_first_and_of_one_object():
    one, other = Group.objects.create(name="one"), Group.objects.create(name="other")
    for action in ("first", "second"):
        record(actor=None, action=action, target=one)
    record(actor=None, action="elsewhere", target=other)
    assert [each.action for each in timeline(one)] == ["second", "first"]


@pytest.mark.django_db
def test_an_event_vanishes_with_the_transaction_it_describes():
    with transaction.atomic():
        record(actor=None, action="never.happened")
        transaction.set_rollback(True)
    assert not AuditEvent.objects.filter(action="never.happened").exists()


@pytest.mark.django_db
def test_the_database_refuses_to_change_or_delete_an_event():
    event = record(actor=None, action="x")
    refusal = "append-only: a row of access_auditevent cannot be"
    with pytest.raises(IntegrityError, match=f"{refusal} changed"), transaction.atomic():
        AuditEvent.objects.filter(pk=event.pk).update(action="y")
    with pytest.raises(IntegrityError, match=f"{refusal} deleted"), transaction.atomic():
        AuditEvent.objects.filter(pk=event.pk).delete()
    assert AuditEvent.objects.get(pk=event.pk).action == "x"


@pytest.mark.django_db
def test_truncate_stays_possible():
    record(actor=None, action="x")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE access_auditevent")
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db
def test_signing_in_and_out_and_failing_to_are_noted(client, viewer):
    viewer.set_password("right horse")
    viewer.save(update_fields=["password"])
    login = "/admin/login/"
    client.post(login, {"username": "viewer\N{SNOWMAN}", "password": "wrong"})
    client.post(login, {"username": "viewer", "password": "right horse"})
    client.post("/admin/logout/")
    events = list(AuditEvent.objects.order_by("id").values_list("action", "actor_name", "after"))
    assert events == [
        ("user.sign-in-refused", "", {"username": "viewer\N{SNOWMAN}"}),
        ("user.signed-in", "viewer", None),
        ("user.signed-out", "viewer", None),
    ]
    assert all(AuditEvent.objects.values_list("request_id", flat=True))
    assert "wrong" not in str(list(AuditEvent.objects.values()))


@pytest.fixture
def long_log(transactional_db):
    """An audit log long enough for the planner to mind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_auditevent (actor_name, action, object_type, object_id, object_name, request_id)"
            " SELECT 'actor ' || n % 5, 'deed ' || n % 7, 'x.y', n::text, '', 'r' || n FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE access_auditevent")


def plans(queries):
    """The plan of every SELECT on the log among captured queries."""
    with connection.cursor() as cursor:
        for query in queries:
            if "access_auditevent" in query["sql"] and query["sql"].lstrip().startswith(("SELECT", "WITH")):
                cursor.execute("EXPLAIN " + query["sql"])
                yield query["sql"], "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    "query", ["", "?action=deed+3", "?actor_name=actor+2", "?q=777", "?q=r777", "?action=deed+3&actor_name=actor+2"]
)
def test_the_list_offers_every_action_and_actor_without_reading_the_whole_log(long_log, desk_of, administrator, query):
    desk = desk_of(administrator)
    with CaptureQueriesContext(connection) as captured:
        answer = desk.get(f"/admin/access/auditevent/{query}")
    page = answer.content.decode()
    for name in ("deed 0", "deed 6", "actor 0", "actor 4"):
        assert f">{name}</a>" in page
    assert answer.context["cl"].result_list
    for sql, plan in plans(captured.captured_queries):
        assert "DISTINCT" not in sql
        if "COUNT(" not in sql:
            assert "Seq Scan" not in plan, f"{sql}\n{plan}"
