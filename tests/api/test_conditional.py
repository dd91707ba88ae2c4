"""Asking again for what has not changed is answered 304, cheaply."""

import pytest
from django.contrib.auth.models import Group

from access.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


@pytest.fixture
def event_url(api):
    return f"/api/v1/events/{AuditEvent.objects.latest('id').pk}"


def test_an_unchanged_row_is_304_without_a_body(api, event_url):
    first = api.get(event_url)
    again = api.get(event_url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])


def test_the_repeated_question_reads_only_the_version(api, event_url, django_assert_max_num_queries):
    tag = api.get(event_url)["ETag"]
    with django_assert_max_num_queries(4) as queries:
        assert api.get(event_url, HTTP_IF_NONE_MATCH=tag).status_code == 304
    assert not any("object_name" in each["sql"] for each in queries.captured_queries)


def test_another_version_is_sent_whole(api, event_url):
    response = api.get(event_url, HTTP_IF_NONE_MATCH='"1-0-en"')
    assert response.status_code == 200
    assert response.json()["id"]


def test_another_language_is_another_answer(api, event_url):
    tag = api.get(event_url)["ETag"]
    assert api.get(event_url, HTTP_IF_NONE_MATCH=tag, HTTP_ACCEPT_LANGUAGE="zh-hans").status_code == 200


def test_a_row_without_a_version_is_compared_by_its_body(api):
    group = Group.objects.first()
    tag = api.get(f"/api/v1/groups/{group.pk}")["ETag"]
    assert api.get(f"/api/v1/groups/{group.pk}", HTTP_IF_NONE_MATCH=tag).status_code == 304
    Group.objects.filter(pk=group.pk).update(name="renamed")
    assert api.get(f"/api/v1/groups/{group.pk}", HTTP_IF_NONE_MATCH=tag).status_code == 200


def test_a_missing_row_is_404_even_when_asked_conditionally(api, problem_of):
    for pk in ("999999", "9" * 30):
        problem_of(api.get(f"/api/v1/events/{pk}", HTTP_IF_NONE_MATCH='"1"'), 404, "not-found")
        problem_of(api.get(f"/api/v1/events/{pk}"), 404, "not-found")


def test_a_change_based_on_an_old_version_is_refused(api, problem_of):
    problem_of(api.put("/api/v1/groups/1", {}, HTTP_IF_MATCH='"1-6-en"'), 412, "stale")
    for current in ('"1-7-en"', "*", '"1-6-en", "1-7-en"', '"1-7-zh-hans"'):
        assert api.put("/api/v1/groups/1", {}, HTTP_IF_MATCH=current).status_code == 200
    assert api.put("/api/v1/groups/1", {}).status_code == 200
