"""Every object's page tells who did what to it, to those who may read the audit log."""

import pytest
from django.contrib.auth.models import Permission

from access.models import AuditEvent
from access.services import create_token, record
from desk.timeline import SHOWN, changes_of
from etl.models import ProductSyncRun, Watermark
from runs.querysets import ClockTimestamp
from tests.conftest import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    return ProductSyncRun.objects.create(source="s")


def page(run, query=""):
    return f"/admin/etl/productsyncrun/{run.pk}/change/{query}"


def test_it_tells_who_when_what_and_what_it_was_before(desk_of, viewer, operator, run):
    from structlog.contextvars import bound_contextvars

    with bound_contextvars(request_id="trace-77"):
        record(
            actor=operator, action="run.renamed", target=run, before={"name": "old <b>", "same": 1},
            after={"name": "new", "same": 1, "added": [1]},
        )  # fmt: skip
    record(actor=operator, action="elsewhere", target=operator)
    text = desk_of(viewer).get(page(run)).content.decode()
    for expected in ("operator", "run.renamed", "trace-77", "old &lt;b&gt;", "<ins>new</ins>", "added"):
        assert expected in text
    assert "elsewhere" not in text
    assert "<dt>same</dt>" not in text
    assert "<b>" not in text.split("timeline-events")[1].split("</section>")[0]


def test_an_object_nobody_touched_says_so(desk_of, viewer, run):
    assert "Nobody has changed anything here by hand." in desk_of(viewer).get(page(run)).content.decode()


def test_only_who_may_read_the_audit_log_sees_it(desk_of, stranger, run):
    stranger.user_permissions.add(Permission.objects.get(codename="view_productsyncrun"))
    record(actor="somebody", action="secret.deed", target=run)
    text = desk_of(stranger).get(page(run)).content.decode()
    assert "secret.deed" not in text
    assert 'id="timeline"' not in text


def test_it_is_paged_newest_first(desk_of, viewer, run):
    for number in range(2 * SHOWN + 5):
        record(actor=None, action=f"deed-{number:03}", target=run)
    desk, seen, query = desk_of(viewer), [], ""
    for _ in range(3):
        answer = desk.get(page(run, query))
        shown = answer.context["timeline"]
        seen += [entry.event.action for entry in shown.entries]
        query = f"?timeline_before={shown.older}"
    assert shown.older is None
    assert seen == [f"deed-{number:03}" for number in reversed(range(2 * SHOWN + 5))]


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "٣", "1.5", "%00"])
def test_a_senseless_page_is_the_first(desk_of, viewer, run, before):
    record(actor=None, action="deed", target=run)
    answer = desk_of(viewer).get(page(run, f"?timeline_before={before}"))
    assert answer.status_code == 200
    assert [entry.event.action for entry in answer.context["timeline"].entries] == ["deed"]


def test_other_people_s_screens_tell_it_too(desk_of, administrator, viewer):
    record(actor="somebody", action="user.praised", target=viewer)
    token, _plaintext = create_token(viewer)
    desk = desk_of(administrator)
    assert "user.praised" in desk.get(f"/admin/auth/user/{viewer.pk}/change/").content.decode()
    assert "token.created" in desk.get(f"/admin/access/accesstoken/{token.pk}/change/").content.decode()
    mark = Watermark.objects.create(table_name="s", last_processed_at=ClockTimestamp(), last_processed_id=1)
    record(
        actor="somebody", action="watermark.rewound", target=mark, before={"at": "x"}, after={"at": "y", "reason": ""}
    )
    assert "watermark.rewound" in desk.get(f"/admin/etl/watermark/{mark.pk}/change/").content.decode()
    event = AuditEvent.objects.first()
    assert 'id="timeline"' not in desk.get(f"/admin/access/auditevent/{event.pk}/change/").content.decode()


def test_a_page_costs_two_queries_more_however_long_the_history_is(desk_of, viewer, run, django_assert_max_num_queries):
    for number in range(50):
        record(actor=None, action=f"deed-{number}", target=run)
    desk = desk_of(viewer)
    desk.get(page(run))
    with django_assert_max_num_queries(12) as queries:
        desk.get(page(run))
    assert sum("access_auditevent" in query["sql"] for query in queries.captured_queries) == 1


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        (None, {"a": None}, [("a", None, "—")]),
        ({"a": 1}, None, [("a", "1", None)]),
        ({}, {"b": "x"}, [("b", None, "x")]),
        ([1], "x", [("", "[\n  1\n]", "x")]),
    ],
)
def test_facts_are_compared_one_by_one(before, after, expected):
    assert [(each.field, each.old, each.new) for each in changes_of(before, after) if each.old or each.new] == expected


def test_the_user_who_is_gone_is_still_named(desk_of, viewer, run):
    someone = make_user("someone")
    record(actor=someone, action="deed", target=run)
    someone.delete()
    assert "someone" in desk_of(viewer).get(page(run)).content.decode()
