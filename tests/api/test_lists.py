"""Lists come in their envelope, whole and in order, whatever the page."""

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError

from access.models import AuditEvent
from access.services import record

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]
EVENTS = "/api/v1/events"


@pytest.fixture
def events(api):
    before = AuditEvent.objects.count()
    for number in range(25):
        record(actor="schedule", action="thing.done", after={"n": number})
    return before + 25


def test_a_list_is_an_envelope_of_ten(api, events):
    body = api.get(EVENTS).json()
    assert list(body) == ["events", "total", "page", "pageSize"]
    assert (len(body["events"]), body["total"], body["page"], body["pageSize"]) == (10, events, 1, 10)


def test_every_row_is_seen_exactly_once_over_the_pages(api, events):
    seen = []
    for page in range(1, 6):
        seen += [each["id"] for each in api.get(f"{EVENTS}?page={page}&pageSize=7").json()["events"]]
    assert len(seen) == len(set(seen)) == events


def test_a_larger_page_is_cut_and_says_so(api, events):
    body = api.get(f"{EVENTS}?pageSize=1000").json()
    assert body["pageSize"] == 100
    assert len(body["events"]) == events


def test_past_the_end_is_an_empty_list(api, events):
    response = api.get(f"{EVENTS}?page=1000")
    assert response.status_code == 200
    assert response.json() == {"events": [], "total": events, "page": 1000, "pageSize": 10}


def test_a_total_is_counted_once_for_a_while_and_per_filter(api, events, django_assert_num_queries):
    api.get(f"{EVENTS}?pageSize=5")
    AuditEvent.objects.create(action="later")
    assert api.get(f"{EVENTS}?pageSize=5").json()["total"] == events
    assert api.get(f"{EVENTS}?pageSize=5&actorName=schedule").json()["total"] == 25


def test_a_cache_that_is_down_breaks_no_read(api, events, settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    with pytest.raises(ConnectionError, match="refused"):
        cache.get("anything")
    assert api.get(f"{EVENTS}?pageSize=5").json()["total"] == events


def test_filters_are_camel_case_and_filter(api, events):
    assert api.get(f"{EVENTS}?actorName=schedule").json()["total"] == 25
    assert api.get(f"{EVENTS}?isAnonymous=false").json()["total"] == events - 25
    assert api.get(f"{EVENTS}?objectType=nothing").json() == {
        "events": [],
        "total": 0,
        "page": 1,
        "pageSize": 10,
    }


def test_a_log_is_read_to_its_end_by_cursor(api, events):
    seen, cursor = [], ""
    while cursor is not None:
        body = api.get(f"/api/v1/log?cursor={cursor}&pageSize=8").json()
        assert body["total"] is None
        seen += [each["id"] for each in body["log"]]
        cursor = body["nextCursor"]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == events


def test_a_cursor_excludes_a_page(api, problem_of):
    problem_of(api.get("/api/v1/log?cursor=&page=1"), 400, "validation-error")
    problem_of(api.get("/api/v1/log?cursor=x"), 400, "validation-error")
    assert api.get("/api/v1/log?cursor=" + "9" * 18).status_code == 200
