"""Every answer carries its security headers: pages, the API, files, and refusals of every kind."""

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from access.middleware import SecurityHeaders
from processes import python

pytestmark = pytest.mark.django_db

WANTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def addresses(resolver=None, prefix="/"):
    """A URL for every route there is, ids made up."""
    import re

    for entry in (resolver or get_resolver()).url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, pattern)
        elif isinstance(entry, URLPattern):
            path = re.sub(r"\(\?P<\w+>[^)]*\)|<(?:\w+:)?\w+>", "1", pattern)
            yield re.sub(r"\\Z|[\^$?]", "", path)


def faults(address, answer):
    wrong = [f"{address}: {name}" for name, value in WANTED.items() if answer.get(name) != value]
    if "camera=()" not in answer.get("Permissions-Policy", ""):
        wrong.append(f"{address}: Permissions-Policy")
    policy = answer.get("Content-Security-Policy", "")
    if "default-src 'self'" not in policy and "default-src 'none'" not in policy:
        wrong.append(f"{address}: Content-Security-Policy {policy}")
    if "frame-ancestors 'none'" not in policy or "unsafe" in policy:
        wrong.append(f"{address}: Content-Security-Policy {policy}")
    return wrong


@pytest.mark.long
def test_every_route_carries_them(desk_of, administrator):
    administrator.is_superuser = True
    administrator.save(update_fields=["is_superuser"])
    desk = desk_of(administrator)
    desk.raise_request_exception = False
    every = sorted(set(addresses()))
    assert len(every) > 60
    assert [fault for address in every for fault in faults(address, desk.get(address))] == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/desk/desk.css", {}),
        ("/static/desk/mark.svg", {}),
        ("/static/none.css", {}),
        ("/no/such/page", {}),
        ("/api/v1/none", {}),
        ("/admin/login/", {}),
        ("/admin/login/?next=//evil.example", {}),
        ("/healthz", {}),
        ("/metrics", {}),
        ("/", {"HTTP_HOST": "evil.example"}),  # refused before any view
        ("/admin/login/", {"HTTP_HOST": "evil.example"}),
    ],
)
def test_files_and_refusals_carry_them_too(client, path, headers):
    client.raise_request_exception = False
    assert faults(path, client.get(path, **headers)) == []


def test_a_failed_csrf_check_and_a_crash_carry_them(settings):
    from django.test import Client

    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    answer = client.post("/admin/login/", {"username": "x"})
    assert answer.status_code == 403
    assert faults("csrf", answer) == []
    settings.CONTENT_SECURITY_POLICY = "broken"  # the middleware itself now fails
    answer = client.get("/admin/login/")
    assert answer.status_code == 500
    assert faults("crash", answer) == []


def test_a_page_may_load_only_from_here(client):
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy


@pytest.mark.long
def test_https_is_demanded_for_a_year_in_production():
    ask = """
from django.test import Client
answer = Client().get("/", HTTP_HOST="ops.example.org", secure=True)
print(answer["Strict-Transport-Security"])
print(Client().get("/admin/login/", HTTP_HOST="ops.example.org")["Location"])
"""
    said = python(ask, DEBUG="0", ALLOWED_HOSTS="ops.example.org", SECRET_KEY="x" * 60)
    hsts, location = said.stdout.splitlines()[-2:]
    assert hsts == "max-age=31536000; includeSubDomains; preload"
    assert location == "https://ops.example.org/admin/login/"


def test_a_view_s_own_policy_is_kept():
    from django.http import HttpResponse

    own = HttpResponse(headers={"Referrer-Policy": "no-referrer"})
    assert SecurityHeaders(lambda request: own)(None)["Referrer-Policy"] == "no-referrer"
