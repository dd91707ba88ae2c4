"""Default deny, and what a session or a read-only token may."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path
from rest_framework.response import Response

from access.permissions import SIGNED_IN
from api.views import OpsView

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.access.test_permissions")]


class HalfDeclaredView(OpsView):
    permissions = {"get": SIGNED_IN, "put": "access.view_auditevent"}

    def get(self, request):
        return Response({"user": request.user.get_username()})

    def put(self, request):
        return Response({})

    def post(self, request):
        raise AssertionError("nobody declared who may do this")


class ForgottenView(OpsView):
    def get(self, request):
        raise AssertionError("nobody declared who may do this")


urlpatterns = [
    path("api/v1/half", HalfDeclaredView.as_view()),
    path("api/v1/forgotten", ForgottenView.as_view()),
]


def test_what_is_not_declared_is_closed_even_to_a_superuser(client_of):
    client = client_of(User.objects.create_superuser("root"))
    assert client.get("/api/v1/forgotten").status_code == 403
    assert client.post("/api/v1/half").status_code == 403
    assert client.get("/api/v1/half").status_code == 200
    assert client.head("/api/v1/half").status_code == 200


def test_a_permission_opens_to_those_who_hold_it(client_of, viewer, stranger):
    assert client_of(viewer).put("/api/v1/half").status_code == 200
    assert client_of(stranger).put("/api/v1/half").status_code == 403


def test_a_read_only_token_reads_and_changes_nothing(client_of, viewer):
    client = client_of(viewer, read_only=True)
    assert client.get("/api/v1/half").status_code == 200
    assert client.put("/api/v1/half").status_code == 403


def test_a_session_comes_in_and_needs_the_csrf_token_to_change(viewer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(viewer)
    assert client.get("/api/v1/half").json() == {"user": "viewer"}
    refused = client.put("/api/v1/half")
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")


@pytest.mark.urls("config.urls")
def test_me_says_who_and_what(client_of, operator):
    me = client_of(operator, read_only=True).get("/api/v1/me", HTTP_ACCEPT_LANGUAGE="zh-hans").json()
    assert "access.view_auditevent" in me.pop("permissions")
    assert me == {"username": "operator", "roles": ["operator"], "readOnly": True, "language": "zh-hans"}
