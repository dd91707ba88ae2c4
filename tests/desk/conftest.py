"""A screen of no domain, to press buttons on."""

from types import ModuleType
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import path

from config import urls as ours
from desk.admin import OpsModelAdmin
from desk.object_actions import object_action
from desk.site import PressroomAdminSite


class NameForm(forms.Form):
    name = forms.CharField()


class ButtonAdmin(OpsModelAdmin):
    """Groups, since they are there anyway."""

    list_actions = ["make_one"]
    object_actions = ["shout", "whisper", "rename", "refuse"]

    @object_action(label="Make one", permission="auth.add_group")
    def make_one(self, request: HttpRequest) -> None:
        Group.objects.create(name=f"made {Group.objects.count()}")

    @object_action(label="Shout", permission="auth.change_group", confirm="Really that loud?")
    def shout(self, request: HttpRequest, group: Group) -> None:
        Group.objects.filter(pk=group.pk).update(name=group.name.upper())

    @object_action(label="Whisper", permission="auth.change_group", confirm=lambda group: f"Only to {group.name}?")
    def whisper(self, request: HttpRequest, group: Group) -> None:
        Group.objects.filter(pk=group.pk).update(name=group.name.lower())

    @object_action(label="Rename", permission="auth.change_group", form=NameForm)
    def rename(self, request: HttpRequest, group: Group, wish: dict[str, Any]) -> None:
        Group.objects.filter(pk=group.pk).update(name=wish["name"])

    @object_action(label="Refuse", permission="auth.change_group")
    def refuse(self, request: HttpRequest, group: Group) -> None:
        raise ValidationError("Not while <you> look.")


@pytest.fixture
def buttons(settings: Any) -> str:
    """Mounts the screen under the usual names; its address."""
    site = PressroomAdminSite(name="admin")
    for model, model_admin in admin.site._registry.items():
        site.register(model, ButtonAdmin if model is Group else type(model_admin))
    urls = ModuleType("urls_of_buttons")
    others = [each for each in ours.urlpatterns if "admin/" not in str(each.pattern)]
    urls.urlpatterns = [*others, path("admin/", site.urls)]
    settings.ROOT_URLCONF = urls
    return "/admin/auth/group/"
