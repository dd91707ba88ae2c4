"""Three roles that grow with the apps and come back after a flush."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from access.checks import check_role_permissions


def codenames(role: str) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename"))


@pytest.mark.django_db
def test_each_role_holds_the_one_below():
    assert codenames("viewer") <= codenames("operator") < codenames("administrator")


@pytest.mark.django_db
def test_a_viewer_sees_every_model_of_ours_and_does_nothing():
    assert ("access", "view_auditevent") in codenames("viewer")
    assert all(codename.startswith("view_") for _app, codename in codenames("viewer"))
    assert not any(app in ("auth", "sessions", "admin") for app, _codename in codenames("viewer"))


@pytest.mark.django_db
def test_an_administrator_manages_users_and_tokens():
    assert {
        ("auth", "change_user"), ("auth", "change_group"), ("access", "revoke_accesstoken")
    } <= codenames("administrator")  # fmt: skip


@pytest.mark.django_db
def test_apps_add_to_roles_and_nothing_is_ever_taken_away(monkeypatch):
    by_hand = Permission.objects.get(codename="add_logentry")
    Group.objects.get(name="viewer").permissions.add(by_hand)
    config = apps.get_app_config("runs")
    monkeypatch.setattr(config, "role_permissions", {"operator": ["access.add_accesstoken"]}, raising=False)
    call_command("migrate", verbosity=0)
    assert ("access", "add_accesstoken") in codenames("operator")
    assert ("admin", "add_logentry") in codenames("viewer")


def test_a_misspelt_permission_is_found_by_check(monkeypatch):
    assert check_role_permissions(None) == []
    config = apps.get_app_config("runs")
    monkeypatch.setattr(config, "role_permissions", {"operator": ["runs.no_such_thing"]}, raising=False)
    (error,) = check_role_permissions(None)
    assert error.id == "access.E001"
    assert "runs.no_such_thing" in error.msg


@pytest.mark.django_db(transaction=True)
def test_the_roles_come_back_after_a_flush():
    call_command("flush", interactive=False, verbosity=0)
    assert ("auth", "change_user") in codenames("administrator")
