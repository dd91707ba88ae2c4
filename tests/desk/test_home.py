"""The home page shows everybody what they may see, from the first minute on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask

from desk import home

pytestmark = pytest.mark.django_db

HOME = "/admin/"


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator", "stranger"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_it_renders_for_every_role_with_an_empty_database(
    role: str, language: str, request: pytest.FixtureRequest, desk_of: Callable[[User], Any]
) -> None:
    answer = desk_of(request.getfixturevalue(role)).get(HOME, headers={"accept-language": language})
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.content.decode()


def test_a_stranger_is_told_that_a_role_is_missing(stranger: User, desk_of: Callable[[User], Any]) -> None:
    page = desk_of(stranger).get(HOME).content.decode()
    assert "no role has been given to you" in page
    assert "Schedules" not in page


def test_nothing_waiting_is_said_in_words(viewer: User, desk_of: Callable[[User], Any]) -> None:
    assert "Nothing is waiting for you." in desk_of(viewer).get(HOME).content.decode()


def test_the_page_of_one_app_does_not_say_that_nothing_is_there(
    administrator: User, desk_of: Callable[[User], Any]
) -> None:
    page = desk_of(administrator).get("/admin/access/").content.decode()
    assert "/admin/access/accesstoken/" in page
    assert "Nothing here yet" not in page


def test_apps_with_a_section_of_their_own_come_first(administrator: User, desk_of: Callable[[User], Any]) -> None:
    listed = [app["app_label"] for app in desk_of(administrator).get(HOME).context["app_list"]]
    assert set(listed[:5]) == {"distillations", "etl", "exports", "llm", "roadmaps"}
    assert "access" in listed[5:]


def test_the_language_switch_is_a_form_that_comes_back(viewer: User, desk_of: Callable[[User], Any]) -> None:
    desk = desk_of(viewer)
    answer = desk.post("/i18n/setlang/", {"language": "zh-hans", "next": "/admin/?a=b"})
    assert answer["Location"] == "/admin/?a=b"
    assert 'lang="zh-hans"' in desk.get(HOME).content.decode()


def may_see_schedules(user: User) -> User:
    user.user_permissions.add(Permission.objects.get(codename="view_periodictask"))
    return user


def test_schedules_are_shown_to_who_may_see_them(viewer: User, stranger: User, desk_of: Callable[[User], Any]) -> None:
    assert "Product sync" not in desk_of(stranger).get(HOME).content.decode()
    assert "Product sync" in desk_of(may_see_schedules(viewer)).get(HOME).content.decode()


@pytest.fixture
def every_hour() -> IntervalSchedule:
    return IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)


def next_run(**values: Any) -> Any:
    return home._schedule(PeriodicTask.objects.create(name="t", task="t", **values)).next_run


def test_the_next_run_follows_the_last_one(every_hour: IntervalSchedule) -> None:
    last = timezone.now() - timedelta(minutes=20)
    expected = last + timedelta(hours=1)
    assert abs(next_run(interval=every_hour, last_run_at=last) - expected) < timedelta(seconds=5)


def test_a_schedule_that_is_off_or_spent_has_no_next_run(every_hour: IntervalSchedule) -> None:
    assert next_run(interval=every_hour, enabled=False) is None
    PeriodicTask.objects.filter(name="t").delete()
    assert next_run(interval=every_hour, one_off=True, total_run_count=1) is None


def test_crontab_and_clocked_schedules_have_a_next_run() -> None:
    crontab = CrontabSchedule.objects.create(minute="0", hour="3")
    assert timezone.now() < next_run(crontab=crontab) <= timezone.now() + timedelta(days=1)
    PeriodicTask.objects.filter(name="t").delete()
    at = timezone.now() + timedelta(hours=5)
    assert next_run(clocked=ClockedSchedule.objects.create(clocked_time=at), one_off=True) == at


def test_more_schedules_cost_no_more_queries(
    viewer: User, every_hour: IntervalSchedule, desk_of: Callable[[User], Any]
) -> None:
    desk = desk_of(may_see_schedules(viewer))
    desk.get(HOME)
    with CaptureQueriesContext(
        connection,
    ) as few:
        desk.get(HOME)
    for number in range(20):
        PeriodicTask.objects.create(name=f"task {number}", task="t", interval=every_hour)
    with CaptureQueriesContext(connection) as many:
        desk.get(HOME)
    assert len(many) == len(few)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_page_that_is_not_there_and_one_that_is_not_allowed_look_like_ours(
    language: str, viewer: User, settings: Any, desk_of: Callable[[User], Any]
) -> None:
    settings.DEBUG = False
    desk = desk_of(viewer)
    missing = desk.get("/admin/nothing/here/", headers={"accept-language": language})
    refused = desk.get("/admin/auth/user/add/", headers={"accept-language": language})
    assert (missing.status_code, refused.status_code) == (404, 403)
    for answer in (missing, refused):
        assert 'class="refusal"' in answer.content.decode()
        assert f'lang="{language}"' in answer.content.decode()
