"""Who tries too many passwords is locked out for a while; everybody else is not."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db.models import F

from access.lockout import address_of, unlock
from access.models import AuditEvent
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


@pytest.fixture
def people(db):
    """Two users with passwords."""
    for name in ("ann", "ben"):
        make_user(name, role="viewer", password=f"{name}'s right one")


def attempt(client, name, tried="wrong", address="203.0.113.1", **headers):
    wish = {"username": name, "password": tried, "next": "/admin/"}
    return client.post(LOGIN, wish, REMOTE_ADDR=address, **headers)


def fail(client, name, times, **where):
    return [attempt(client, name, **where).status_code for _ in range(times)]


def test_after_five_failures_even_the_right_password_is_refused(client, people):
    assert fail(client, "ann", 6) == [200, 200, 200, 200, 429, 429]
    answer = attempt(client, "ann", "ann's right one")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) == 900
    assert "15 minutes" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_others_are_let_in_meanwhile(client, people):
    fail(client, "ann", 6)
    assert attempt(client, "ben", "ben's right one").status_code == 302
    client.logout()
    assert attempt(client, "ann", "ann's right one", address="203.0.113.2").status_code == 302


def test_a_user_nobody_has_is_answered_alike(client, people):
    answers = {}
    for name in ("ann", "nobody"):
        fail(client, name, 5)
        answer = attempt(client, name)
        answers[name] = (answer.status_code, answer["Retry-After"], answer.content.decode().replace(name, "…"))
    ours, theirs = answers.values()
    assert ours[:2] == theirs[:2]
    assert without_nonces(ours[2]) == without_nonces(theirs[2])


def without_nonces(page):
    import re

    return re.sub(r'(nonce|value|csrfmiddlewaretoken)="[^"]*"', "", page)


def test_success_begins_the_count_anew(client, people):
    fail(client, "ann", 4)
    assert attempt(client, "ann", "ann's right one").status_code == 302
    client.logout()
    assert fail(client, "ann", 4) == [200] * 4


def test_the_lockout_ends_and_knocking_meanwhile_does_not_prolong_it(client, people):
    fail(client, "ann", 6)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    assert attempt(client, "ann").status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))
    assert attempt(client, "ann", "ann's right one").status_code == 302


def test_many_addresses_do_not_help_against_one_user(client, people, settings):
    settings.LOCKOUT_FAILURES_OF_USER = 12
    for number in range(4):
        assert fail(client, "ann", 3, address=f"203.0.113.{number}") == [200] * 3
    assert attempt(client, "ann", "ann's right one", address="203.0.113.99").status_code == 429
    assert attempt(client, "ben", "ben's right one", address="203.0.113.99").status_code == 302


def test_another_browser_does_not_help_either(client, people):
    for number in range(5):
        attempt(client, "ann", HTTP_USER_AGENT=f"browser {number}")
    assert attempt(client, "ann", "ann's right one").status_code == 429


def test_it_works_with_the_cache_down(client, people, settings):
    down = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": down}
    assert fail(client, "ann", 6)[-1] == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.9", "10.0.0.1"),  # nobody stands in front, so the header is the client's own
        (1, "198.51.100.9", "198.51.100.9"),
        (1, "1.2.3.4, 198.51.100.9", "198.51.100.9"),  # what the client put before our proxy's entry
        (2, "1.2.3.4, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        (1, "", "10.0.0.1"),
        (1, "not an address", "10.0.0.1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_our_own_proxies_are_believed(rf, settings, proxies, forwarded, address):
    settings.NUM_PROXIES = proxies
    assert address_of(rf.get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)) == address


def test_a_forged_header_is_no_way_around(client, people):
    for number in range(6):
        answer = attempt(client, "ann", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert answer.status_code == 429


def test_an_administrator_unlocks_and_that_is_on_record(client, people, desk_of, administrator, viewer):
    fail(client, "ann", 6)
    row = AccessAttempt.objects.get(username="ann")
    desk = desk_of(administrator)
    page = desk.get("/admin/axes/accessattempt/").content.decode()
    assert "ann" in page
    assert "locked out" in page
    url = f"/admin/axes/accessattempt/{row.pk}/do/unlock/"
    assert desk.post(url).status_code == 200  # asked first
    assert desk.post(url, {"confirmed": "1"}).status_code == 302
    event = AuditEvent.objects.get(action="user.unlocked")
    assert (event.actor_name, event.after["username"], event.after["failures"]) == ("administrator", "ann", 5)
    desk.logout()
    assert attempt(client, "ann", "ann's right one").status_code == 302
    assert desk_of(viewer).get("/admin/axes/accessattempt/").status_code == 403


def test_only_who_may_unlocks(client, people, desk_of, operator):
    fail(client, "ann", 6)
    row = AccessAttempt.objects.get(username="ann")
    answer = desk_of(operator).post(f"/admin/axes/accessattempt/{row.pk}/do/unlock/", {"confirmed": "1"})
    assert answer.status_code in (403, 404)
    assert AccessAttempt.objects.filter(username="ann").exists()


def test_the_shell_unlocks_too(client, people):
    fail(client, "ann", 6)
    call_command("axes_reset_username", "ann")
    assert attempt(client, "ann", "ann's right one").status_code == 302


def test_unlocking_nobody_is_no_fault():
    assert unlock("nobody", actor="test") == 0


@pytest.mark.parametrize("name", ["", "x" * 150, "x" * 10_000, "nul\0", "ünï 学习", "'; --"])
def test_odd_names_are_no_fault(client, name):
    assert set(fail(client, name, 7)) <= {200, 429}


def test_passwords_tried_are_kept_nowhere(client, people):
    attempt(client, "ann", tried="almost-right-1")
    assert "almost-right-1" not in str(list(AccessAttempt.objects.values()))
    assert "almost-right-1" not in str(list(AuditEvent.objects.values()))


def test_the_refusal_is_translated(client, people):
    fail(client, "ann", 5)
    page = attempt(client, "ann", HTTP_ACCEPT_LANGUAGE="zh-hans").content.decode()
    assert "15 分钟" in page
