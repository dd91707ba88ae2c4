"""Every request has an id that the answer, the log and the audit share."""

import logging

import pytest
from structlog.contextvars import get_contextvars

from access.models import AuditEvent

pytestmark = pytest.mark.django_db


def lines(caplog):
    return [each.msg for each in caplog.records if each.name == "pressroom.request"]


def test_a_sane_id_is_taken_over(client):
    assert client.get("/api/v1/me", HTTP_X_REQUEST_ID="trace-1.a_B")["X-Request-ID"] == "trace-1.a_B"


@pytest.mark.parametrize("offered", ["", "a" * 65, "with space", "new\nline", "ünï", '"}'])
def test_any_other_id_is_replaced(client, offered):
    answered = client.get("/api/v1/me", HTTP_X_REQUEST_ID=offered)["X-Request-ID"]
    assert answered != offered
    assert answered.isalnum()


def test_one_line_is_logged_per_request(client_of, viewer, caplog):
    with caplog.at_level(logging.INFO, logger="pressroom.request"):
        client_of(viewer).get("/api/v1/me?secret=1", HTTP_X_REQUEST_ID="trace-2")
    (line,) = lines(caplog)
    wanted = {
        "method": "GET",
        "path": "/api/v1/me",
        "status": 400,
        "user_id": viewer.pk,
        "request_id": "trace-2",
    }
    assert wanted.items() <= line.items()
    assert line["duration_ms"] > 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/x.css"])
def test_probes_and_files_are_not_logged(client, caplog, path):
    with caplog.at_level(logging.INFO, logger="pressroom.request"):
        client.get(path)
    assert lines(caplog) == []


def test_nothing_is_left_bound_for_the_next_request(client):
    client.get("/api/v1/me")
    assert get_contextvars() == {}


def test_an_audit_event_carries_the_id_of_its_request(client, viewer):
    client.post("/admin/login/", {"username": "viewer", "password": "wrong"}, HTTP_X_REQUEST_ID="trace-3")
    assert AuditEvent.objects.get().request_id == "trace-3"
