"""Buttons change something once, by POST, for those who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(db: None) -> Group:
    return Group.objects.create(name="quiet")


def test_a_button_refuses_get(buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]) -> None:
    desk = desk_of(administrator)
    for url in (f"{buttons}do/make_one/", f"{buttons}{group.pk}/do/shout/"):
        assert desk.get(url).status_code == 405


def test_a_button_refuses_who_lacks_its_permission(
    buttons: str, group: Group, viewer: User, desk_of: Callable[[User], Any]
) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="view_group"))
    answer = desk_of(viewer).post(f"{buttons}{group.pk}/do/shout/", {"confirmed": "1"})
    assert answer.status_code == 403
    assert Group.objects.filter(name="quiet").exists()


def test_a_page_shows_only_the_buttons_one_may_press(
    buttons: str, group: Group, viewer: User, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="view_group"))
    address = f"{buttons}{group.pk}/change/"
    assert "do/shout/" in desk_of(administrator).get(address).content.decode()
    assert "do/shout/" not in desk_of(viewer).get(address).content.decode()


def test_a_stranger_learns_nothing_of_the_object(
    buttons: str, group: Group, stranger: User, desk_of: Callable[[User], Any]
) -> None:
    assert desk_of(stranger).post(f"{buttons}{group.pk}/do/shout/").status_code == 404


def test_a_button_needs_the_csrf_token(
    buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    desk = desk_of(administrator)
    desk.handler.enforce_csrf_checks = True
    assert desk.post(f"{buttons}{group.pk}/do/shout/", {"confirmed": "1"}).status_code == 403


def test_a_press_acts_and_redirects_so_that_reloading_repeats_nothing(
    buttons: str, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    before = Group.objects.count()
    answer = desk_of(administrator).post(f"{buttons}do/make_one/")
    assert (answer.status_code, answer["Location"]) == (302, buttons)
    assert Group.objects.count() == before + 1


def test_a_button_that_asks_does_nothing_before_the_answer(
    buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    desk = desk_of(administrator)
    asked = desk.post(f"{buttons}{group.pk}/do/shout/")
    assert asked.status_code == 200
    assert "Really that loud?" in asked.content.decode()
    assert Group.objects.filter(name="quiet").exists()
    assert desk.post(f"{buttons}{group.pk}/do/shout/", {"confirmed": "1"}).status_code == 302
    assert Group.objects.filter(name="QUIET").exists()


def test_a_question_may_depend_on_the_object(
    buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    desk = desk_of(administrator)
    assert "Only to quiet?" in desk.post(f"{buttons}{group.pk}/do/whisper/").content.decode()
    assert 'data-confirm="Only to quiet?"' in desk.get(f"{buttons}{group.pk}/change/").content.decode()


def test_a_form_is_asked_again_until_it_is_valid(
    buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    desk = desk_of(administrator)
    address = f"{buttons}{group.pk}/do/rename/"
    assert desk.post(address, {"confirmed": "1", "name": ""}).status_code == 422
    assert desk.post(address, {"confirmed": "1", "name": "renamed"}).status_code == 302
    assert Group.objects.filter(name="renamed").exists()


def test_what_a_service_refuses_is_told_escaped(
    buttons: str, group: Group, administrator: User, desk_of: Callable[[User], Any]
) -> None:
    page = desk_of(administrator).post(f"{buttons}{group.pk}/do/refuse/", follow=True).content.decode()
    assert "Not while &lt;you&gt; look." in page


def test_an_object_that_is_gone_is_not_found(buttons: str, administrator: User, desk_of: Callable[[User], Any]) -> None:
    assert desk_of(administrator).post(f"{buttons}999999/do/shout/").status_code == 404
