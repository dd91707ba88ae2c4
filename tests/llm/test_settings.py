"""A wrong variable is one line that names it."""

from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.language_model import (
    DailyBudget,
    base_url_of,
    daily_budget_of,
    provider_of,
    retries_of,
    seconds_in_all,
)


@pytest.mark.parametrize(
    ("environment", "provider"),
    [
        ({}, "rules"),
        ({"LLM_MODEL": "m"}, "rules"),
        ({"LLM_API_KEY": "k", "LLM_MODEL": "m"}, "openai"),
        ({"LLM_BASE_URL": "http://localhost:11434/v1", "LLM_MODEL": "m"}, "openai"),
        ({"LLM_PROVIDER": "rules", "LLM_API_KEY": "k"}, "rules"),
        ({"LLM_PROVIDER": "", "LLM_API_KEY": "", "LLM_BASE_URL": ""}, "rules"),
    ],
)
def test_the_provider_follows_from_what_is_set(environment, provider):
    assert provider_of(environment) == provider


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"LLM_PROVIDER": "gemini"}, "LLM_PROVIDER"),
        ({"LLM_PROVIDER": "openai"}, "LLM_API_KEY"),
        ({"LLM_API_KEY": "k"}, "LLM_MODEL"),
        ({"LLM_BASE_URL": "http://localhost"}, "LLM_MODEL"),
        ({"LLM_API_KEY": "k", "LLM_MODEL": "m" * 201}, "LLM_MODEL"),
    ],
)
def test_what_is_missing_is_named(environment, named):
    with pytest.raises(ImproperlyConfigured, match=named):
        provider_of(environment)


@pytest.mark.parametrize("address", ["ftp://a", "localhost:11434", "http://", "https://a:x/v1", "https://a/v1?k=1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ImproperlyConfigured, match="LLM_BASE_URL"):
        base_url_of({"LLM_BASE_URL": address})


def test_an_address_holds_no_password_and_the_refusal_does_not_repeat_it():
    with pytest.raises(ImproperlyConfigured, match="LLM_API_KEY") as refused:
        base_url_of({"LLM_BASE_URL": "https://me:hunter2@a.example/v1"})
    assert "hunter2" not in str(refused.value)


def test_an_address_may_end_with_a_slash():
    assert base_url_of({"LLM_BASE_URL": "http://127.0.0.1:8000/v1/"}) == "http://127.0.0.1:8000/v1"
    assert base_url_of({}) == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("", DailyBudget()),
        ("2000000 tokens", DailyBudget(tokens=2_000_000)),
        ("2_000_000 tokens", DailyBudget(tokens=2_000_000)),
        ("5 USD", DailyBudget(money=Decimal(5), currency="USD")),
        ("0.50CNY, 10tokens", DailyBudget(tokens=10, money=Decimal("0.50"), currency="CNY")),
    ],
)
def test_a_budget_is_tokens_money_or_both(wish, expected):
    assert daily_budget_of({"LLM_DAILY_BUDGET": wish}) == expected


@pytest.mark.parametrize("wish", ["5", "USD 5", "-5 USD", "1.5 tokens", "5 usd", "5 USD; 3 tokens", "lots", "1 EUR x"])
def test_a_budget_nobody_understands_is_refused(wish):
    with pytest.raises(ImproperlyConfigured, match="LLM_DAILY_BUDGET"):
        daily_budget_of({"LLM_DAILY_BUDGET": wish})


@pytest.mark.parametrize("wish", ["-1", "11", "x", "1.5", "²"])
def test_a_senseless_number_of_retries_is_refused(wish):
    with pytest.raises(ImproperlyConfigured, match="LLM_RETRIES"):
        retries_of({"LLM_RETRIES": wish})


def test_an_answer_ends_before_the_lease_of_its_run():
    assert seconds_in_all(None, lease_seconds=90) == pytest.approx(81)
    assert seconds_in_all(80, lease_seconds=90) == 80
    with pytest.raises(ImproperlyConfigured, match="RUN_LEASE_SECONDS"):
        seconds_in_all(90, lease_seconds=90)


def test_the_default_of_the_installation_is_rules(settings):
    assert settings.LLM_PROVIDER == "rules"
    assert settings.LLM_TOTAL_SECONDS < settings.RUN_LEASE_SECONDS
