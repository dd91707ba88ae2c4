"""Who asks too often is told when to come back; nothing forged, and no cache that is down, changes the rest."""

import socket
import threading

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient

from api.throttles import Login, ResetAll
from config.settings import env
from processes import settings_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]

EVENTS, JOBS = "/api/v1/events", "/api/v1/jobs/pack"
RATES = django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]


@pytest.fixture
def rates(settings):
    """rates(user="3/day", …) replaces rates; a day is a window that no test outlives."""

    def replace(*, proxies=0, **scopes):
        named = {scope.replace("_", "-"): rate for scope, rate in scopes.items()}
        settings.REST_FRAMEWORK = {
            **django_settings.REST_FRAMEWORK,
            "NUM_PROXIES": proxies,
            "DEFAULT_THROTTLE_RATES": {**RATES, **named},
        }

    return replace


def test_the_defaults_are_the_documented_ones():
    assert RATES == {
        "user": "1200/min", "anonymous": "60/min", "login": "20/min", "model-work": "60/min", "reset-all": "3/h",
    }  # fmt: skip


def test_a_user_who_asks_too_often_is_told_when_to_come_back(api, client_of, operator, rates, problem_of):
    rates(user="3/day")
    assert [api.get(EVENTS).status_code for _ in range(3)] == [200] * 3
    refused = api.get(EVENTS)
    problem_of(refused, 429, "throttled")
    assert 0 < int(refused["Retry-After"]) <= 86_400
    assert client_of(operator).get(EVENTS).status_code == 200


def test_refused_requests_count_too(client_of, stranger, rates):
    rates(user="3/day")
    client = client_of(stranger)
    assert [client.get(EVENTS).status_code for _ in range(5)] == [403, 403, 403, 429, 429]


def test_who_is_not_signed_in_has_a_rate_of_its_own(client_of, api, rates, problem_of):
    rates(anonymous="2/day")
    anonymous = client_of(None)
    assert [anonymous.get(EVENTS).status_code for _ in range(3)] == [401, 401, 429]
    problem_of(anonymous.get(EVENTS, HTTP_AUTHORIZATION="Bearer pr_guess"), 429, "throttled")
    assert api.get(EVENTS).status_code == 200


def test_guessing_tokens_is_slowed_down(rates):
    rates(anonymous="2/day")
    guesses = [APIClient().get(EVENTS, HTTP_AUTHORIZATION=f"Bearer pr_{n}").status_code for n in range(4)]
    assert guesses == [401, 401, 429, 429]


@pytest.mark.parametrize(
    ("proxies", "forge"), [(0, "{n}.0.0.1"), (1, "{n}.0.0.1, 203.0.113.9"), (1, "x, {n}, 203.0.113.9")]
)
def test_a_forged_address_is_no_other_address(rates, proxies, forge):
    rates(anonymous="5/day", proxies=proxies)
    answers = [APIClient().get(EVENTS, HTTP_X_FORWARDED_FOR=forge.format(n=n)).status_code for n in range(12)]
    assert answers == [401] * 5 + [429] * 7


def test_behind_a_proxy_each_client_has_its_own_count(rates):
    rates(anonymous="1/day", proxies=1)
    for client in ("203.0.113.1", "203.0.113.2", "2001:db8::1", "junk\xff " * 50):
        answers = [APIClient().get(EVENTS, HTTP_X_FORWARDED_FOR=client).status_code for _ in range(2)]
        assert answers == [401, 429]


def test_a_scope_is_named_by_the_view_in_one_attribute(api, rates, problem_of):
    rates(reset_all="1/day")
    assert api.post(JOBS, {}).status_code == 202
    problem_of(api.post(JOBS, {}), 429, "throttled")
    assert api.get(EVENTS).status_code == 200


def test_a_rate_may_be_off(api, rates):
    rates(reset_all=None, user=None)
    assert {api.post(JOBS, {}).status_code for _ in range(5)} == {202}


def test_parallel_requests_are_counted_exactly(rates, rf, viewer):
    rates(reset_all="10/day")
    request = rf.post("/")
    request.user = viewer
    allowed = []
    threads = [
        threading.Thread(target=lambda: allowed.extend(ResetAll().allow_request(request, None) for _ in range(10)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (80, 10)


@pytest.mark.urls("config.urls")
def test_guessing_passwords_is_slowed_down_for_an_address(client, rates):
    rates(login="2/day")
    wrong = {"username": "nobody", "password": "wrong"}
    for _ in range(2):
        assert client.post("/admin/login/", wrong).status_code == 200
    refused = client.post("/admin/login/", wrong, HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "请求过多" in refused.content.decode()
    assert client.get("/admin/login/").status_code == 200
    assert client.post("/admin/login/", wrong, REMOTE_ADDR="203.0.113.5").status_code == 200


def test_a_cache_that_refuses_lets_everybody_in_and_is_logged(api, rates, settings, caplog):
    rates(user="1/day")
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert {api.get(EVENTS).status_code for _ in range(3)} == {200}
    assert any("cache.unavailable" in record.getMessage() for record in caplog.records)


def test_a_cache_that_hangs_is_asked_once_for_many_requests(api, rates, settings):
    rates(user="1/day")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{silent.getsockname()[1]}/0"}
        }
        assert {api.get(EVENTS).status_code for _ in range(5)} == {200}
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # one connection, and so one timeout, for all of them
            silent.accept()


@pytest.mark.parametrize("rate", ["60", "x/min", "60/fortnight", "0/min", "-1/min", ""])
def test_a_rate_that_cannot_be_read_is_named_at_the_start(rate, monkeypatch):
    monkeypatch.setenv("THROTTLE_USER", rate)
    with pytest.raises(ImproperlyConfigured, match="THROTTLE_USER"):
        env.rate("THROTTLE_USER", default="1/min")


def test_the_number_of_proxies_follows_behind_proxy():
    for extra, number in (({"BEHIND_PROXY": "1"}, 1), ({"NUM_PROXIES": "2"}, 2)):
        assert settings_of(**extra)["REST_FRAMEWORK"]["NUM_PROXIES"] == number
    assert django_settings.REST_FRAMEWORK["NUM_PROXIES"] == 0


def test_login_counts_the_address_whoever_is_signed_in(rf, viewer, rates):
    rates(login="1/day")
    request = rf.post("/admin/login/")
    request.user = viewer
    assert [Login().allow_request(request, None) for _ in range(2)] == [True, False]
