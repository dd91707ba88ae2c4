"""The change feed: what its cursor promises, whoever else is busy, and what it costs."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction

from access.models import AuditEvent
from etl.models import FeedConsumer, ProductChange
from etl.products import consumers, cursors, feed, services
from etl.products.cursors import Cursor, Pruned, parse
from processes import environment

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/etl/product-changes"

WRITE = """
    INSERT INTO product_change_log (product_id, brand_code, sku, change_type, new_version, changed_fields)
    SELECT n, 'B', n::text, 'CREATE', 'v', '{}' FROM generate_series(%s::int, %s::int) n
"""


def write(first, last=None, on=connection):
    """Log rows with the SKUs first … last, in one transaction (of the connection's caller, if it has one)."""
    with on.cursor() as cursor:
        cursor.execute(WRITE, [first, last or first])


@pytest.fixture
def other():
    """Makes further sessions, each with a transaction of its own that is open until committed."""
    opened = []

    def session():
        opened.append(psycopg.connect(environment()["DATABASE_URL"]))
        return opened[-1]

    yield session
    for each in opened:
        each.close()


def skus(page):
    return [int(change.sku) for change in page.changes]


def rest(cursor, size=1000):
    """Everything there is behind the cursor, and the cursor behind that."""
    found, more = [], True
    while more:
        page = feed.read(cursor, size=size)
        found, cursor, more = found + skus(page), page.cursor, page.more
    return found, cursor


@pytest.fixture(params=["few", "many"])
def either_way(request, monkeypatch):
    """Both ways to find a page: sorting few changes, walking along the ids of many."""
    if request.param == "many":
        monkeypatch.setattr(feed, "FEW", 0)
        monkeypatch.setattr(feed, "WINDOW", 3)


def test_begin_hands_out_all_and_now_only_what_comes(either_way):
    write(1, 5)
    _, now = rest("now")
    assert rest("begin", size=2)[0] == rest("")[0] == [1, 2, 3, 4, 5]
    write(6)
    found, cursor = rest(now)
    assert found == [6]
    assert rest(cursor)[0] == []


def test_on_an_empty_log_now_misses_nothing_either(either_way):
    _, now = rest("now")
    write(1)
    assert rest(now)[0] == [1]


def test_a_change_that_is_committed_late_is_handed_out_then_although_higher_ids_were_before(either_way, other):
    slow = other()
    write(1, 3, on=slow)
    write(4, 6)
    found, cursor = rest("begin", size=2)
    assert found == [4, 5, 6]
    slow.commit()
    write(7)
    assert rest(cursor, size=2)[0] == [1, 2, 3, 7]


def test_the_last_number_given_out_may_have_drawn_its_id_before_the_newest_seen(either_way, other):
    """Nothing later has finished, so no snapshot lists it as in progress."""
    early, slow = other(), other()
    early.execute("SELECT pg_current_xact_id()")
    write(1, on=slow)
    write(2, on=early)
    early.commit()
    found, cursor = rest("begin")
    assert found == [2]
    slow.commit()
    assert rest(cursor)[0] == [1]


def test_what_is_rolled_back_is_never_handed_out(either_way, other):
    slow = other()
    write(1, on=slow)
    write(2)
    found, cursor = rest("begin")
    slow.rollback()
    assert (found, rest(cursor)[0]) == ([2], [])


def test_a_transaction_that_stays_open_elsewhere_holds_nothing_up(either_way, other):
    other().execute("SELECT pg_current_xact_id()")
    cursor = "begin"
    for number in range(1, 4):
        write(number)
        found, cursor = rest(cursor)
        assert found == [number]
    below_xmin = ProductChange.objects.extra(where=["xid < pg_snapshot_xmin(pg_current_snapshot())"])
    assert not below_xmin.exists()  # a cursor below the oldest transaction would still have nothing


def test_pages_stay_within_what_could_be_seen_when_the_first_was_read(either_way, other):
    slow = other()
    write(1, on=slow)
    write(2, 5)
    page = feed.read("begin", size=2)
    slow.commit()
    write(6)
    assert skus(page) == [2, 3]
    found, _ = rest(page.cursor, size=2)
    assert found == [4, 5, 1, 6]


def test_own_changes_that_are_not_committed_are_left_to_later():
    write(1)
    with transaction.atomic():
        write(2)
        found, cursor = rest("begin")
    assert (found, rest(cursor)[0]) == ([1], [2])


def test_a_cursor_that_was_changed_cut_or_made_up_is_refused():
    write(1, 3)
    good = feed.read("begin", size=1).cursor
    forged = cursors._MARK + b"\x94\x01\xc0\xc0"
    for bad in ("x", "0", "Begin", good[:-1], good + "A", good[:10] + "AAAA" + good[14:], "é" * 20, good + "=", "AQ",
                good[:-1] + ("B" if good[-1] != "B" else "C"), forged.hex()):  # fmt: skip
        with pytest.raises(cursors.InvalidCursor):
            feed.read(bad, size=1)


def test_numbers_out_of_bounds_are_refused_whatever_their_checksum():
    class Loose(cursors.msgspec.Struct, array_like=True):
        system: int
        seen: list | None = None
        upto: list | None = None
        last_id: int = 0

        as_text = Cursor.as_text

    snapshot = [1, [], 1, 1, 1, 1]
    for loose in (Loose(-1), Loose(2**64 - 1), Loose(1, snapshot, snapshot, -5), Loose(1, [*snapshot[:5], 2**62])):
        with pytest.raises(cursors.InvalidCursor):
            feed.read(loose.as_text(), size=1)


def replaced(cursor, **values):
    """The cursor with other values in what it has seen."""
    parsed = parse(cursor)
    return Cursor(parsed.system, cursors.msgspec.structs.replace(parsed.seen, **values)).as_text()


def test_a_cursor_of_changes_that_were_restored_away_is_gone():
    write(1, 3)
    _, cursor = rest("begin")
    with connection.cursor() as sql:
        sql.execute("TRUNCATE product_change_log RESTART IDENTITY")
    with pytest.raises(feed.CursorGone):
        feed.read(cursor, size=1)
    write(1, 3)  # the same ids again, other changes
    with pytest.raises(feed.CursorGone):
        feed.read(cursor, size=1)


def test_a_cursor_from_the_future_or_from_another_server_is_gone():
    write(1)
    _, cursor = rest("begin")
    parsed = parse(cursor)
    for foreign in (
        replaced(cursor, end=parsed.seen.end + 1_000_000),
        Cursor(parsed.system ^ 1, parsed.seen).as_text(),
    ):
        with pytest.raises(feed.CursorGone):
            feed.read(foreign, size=1)


def test_a_cursor_is_gone_when_what_it_had_yet_to_hand_out_is_pruned_and_not_before():
    write(1, 9)
    ids = list(ProductChange.objects.order_by("pk").values_list("pk", flat=True))
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    middle, end = parse(feed.read("begin", size=4).cursor), parse(rest("begin")[1])
    assert not middle.lost_to(Pruned(ids[3], long_ago))
    assert middle.lost_to(Pruned(ids[4], long_ago))
    assert not end.lost_to(Pruned(ids[8], long_ago))
    assert end.lost_to(Pruned(ids[8] + 1, long_ago))
    assert end.lost_to(Pruned(ids[0], datetime.now(UTC) + timedelta(hours=2)))
    assert not parse(feed.read("begin", size=1).cursor).lost_to(Pruned(0, long_ago))
    assert not Cursor(1).lost_to(Pruned(5, long_ago))  # begin means the oldest that is kept


def test_a_log_restored_from_a_dump_is_refused_until_it_is_adopted():
    write(1, 3)
    with connection.cursor() as sql:
        sql.execute("ALTER TABLE product_change_log DISABLE TRIGGER USER")
        sql.execute("UPDATE product_change_log SET xid = (xid::text::bigint + 1000000000)::text::xid8")
        sql.execute("ALTER TABLE product_change_log ENABLE TRIGGER USER")
    with pytest.raises(feed.FeedUnusable, match="restart_change_feed"):
        feed.read("begin", size=1)
    assert services.restart_change_feed(reason="restored the dump of Monday", actor="command") == 3
    write(4)
    assert rest("begin", size=2)[0] == [1, 2, 3, 4]
    assert AuditEvent.objects.get(action="change-feed.restarted").after["reason"] == "restored the dump of Monday"


# --- Through the API ---


def test_a_client_follows_the_feed_with_next_cursor(client_of, viewer):
    api = client_of(viewer)
    write(1, 5)
    seen, cursor, more = [], "", True
    while more:
        body = api.get(URL, {"cursor": cursor, "pageSize": 2}).json()
        assert (body["total"], body["page"], body["pageSize"]) == (None, None, 2)
        seen += [int(change["sku"]) for change in body["changes"]]
        cursor, more = body["nextCursor"], body["more"]
    assert seen == [1, 2, 3, 4, 5]
    write(6)
    assert [change["sku"] for change in api.get(URL, {"cursor": cursor}).json()["changes"]] == ["6"]


def test_without_a_cursor_it_is_the_plain_list_newest_first(client_of, viewer):
    write(1, 3)
    body = client_of(viewer).get(URL, {"pageSize": 2}).json()
    assert [change["sku"] for change in body["changes"]] == ["3", "2"]
    assert (body["total"], body["page"], body["nextCursor"], body["more"]) == (3, 1, None, None)
    older = client_of(viewer).get(URL, {"before": body["changes"][-1]["id"]}).json()
    assert [change["sku"] for change in older["changes"]] == ["1"]


def test_filters_combine_with_the_cursor_and_an_empty_page_may_have_more(client_of, viewer, either_way):
    api = client_of(viewer)
    write(1, 20)
    found, cursor, more = [], "begin", True
    while more:
        body = api.get(URL, {"cursor": cursor, "sku": "17", "changeType": "CREATE", "brandCode": "B"}).json()
        found, cursor, more = found + body["changes"], body["nextCursor"], body["more"]
    assert [change["sku"] for change in found] == ["17"]


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ({"cursor": "rubbish"}, 400, "invalid-cursor"),
        ({"cursor": "12345"}, 400, "invalid-cursor"),
        ({"cursor": "", "page": "1"}, 400, "validation-error"),
        ({"cursor": "", "before": "1"}, 400, "validation-error"),
        ({"cursor": ["begin", "now"]}, 400, "repeated-parameter"),
        ({"cursor": "", "pageSize": "0"}, 400, "validation-error"),
    ],
)
def test_a_wrong_wish_of_the_feed_is_a_problem(client_of, viewer, query, status, slug):
    answer = client_of(viewer).get(URL, query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


def test_a_gone_cursor_is_410_with_advice_in_the_reader_s_language(client_of, viewer):
    write(1)
    _, cursor = rest("begin")
    with connection.cursor() as sql:
        sql.execute("TRUNCATE product_change_log")
    answer = client_of(viewer).get(URL, {"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-gone")
    assert "cursor=now" in answer.json()["detail"]
    chinese = client_of(viewer).get(URL, {"cursor": cursor}, HTTP_ACCEPT_LANGUAGE="zh-hans").json()
    assert chinese["title"] == "游标已失效"


# --- Consumers with a place in the database ---


def test_effects_and_place_of_a_consumer_are_one_transaction():
    write(1, 3)

    def note(changes):
        for change in changes:
            AuditEvent.objects.create(action="noted", object_id=change.sku)

    def note_and_die(changes):
        note(changes)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        consumers.receive("mirror", note_and_die, size=2)
    while consumers.receive("mirror", note, size=2).more:
        pass
    assert list(AuditEvent.objects.order_by("pk").values_list("object_id", flat=True)) == ["1", "2", "3"]
    assert FeedConsumer.objects.get().received == 3


def test_a_consumer_begins_where_it_was_told_and_can_be_moved():
    write(1, 3)
    got = []

    def keep(changes):
        got.extend(int(change.sku) for change in changes)

    consumers.receive("late", keep, start="now")
    assert got == []
    consumers.move_consumer("late", start="begin", actor="command")
    consumers.receive("late", keep)
    assert got == [1, 2, 3]
    moved = AuditEvent.objects.get(action="feed-consumer.moved")
    assert (moved.actor_name, moved.object_name) == ("command", "late")


# --- What it costs ---


def plans(captured):
    """EXPLAIN (ANALYZE, BUFFERS) of every captured SELECT, as (sql, nodes, buffers)."""
    for query in captured:
        sql = query["sql"]
        if not sql.lstrip().startswith(("SELECT", "WITH")):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
            (plan,) = cursor.fetchone()
        root = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        yield sql, set(nodes(root)), root["Shared Hit Blocks"] + root["Shared Read Blocks"]


def nodes(plan):
    yield f"{plan['Node Type']} {plan.get('Relation Name', '')}".strip()
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def test_no_page_of_the_feed_reads_the_whole_log(django_assert_max_num_queries):
    for start in range(1, 40_000, 500):
        write(start, start + 499)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE product_change_log")
    _, end = rest("now")
    middle = feed.read("begin", size=1000).cursor
    write(50_000, 50_400)
    few = feed.read(end, size=100)
    costs = {}
    for name, cursor in {
        "begin": "begin",
        "backlog": middle,
        "news": end,
        "rest of news": few.cursor,
        "none": "now",
    }.items():
        with django_assert_max_num_queries(7) as captured:
            feed.read(cursor, size=100)
        found = list(plans(captured.captured_queries))
        costs[name] = sum(buffers for _sql, _nodes, buffers in found)
        for sql, used, _buffers in found:
            assert "Seq Scan product_change_log" not in used, sql
    print(f"\nshared buffers per page: {costs}")
    assert costs["none"] <= 40
    assert max(costs.values()) <= 2_000
