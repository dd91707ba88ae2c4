"""Nothing is asked beyond the daily budget, and money that cannot be counted is not spent."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from api.days import midnight
from config.language_model import DailyBudget
from llm import budget
from llm.door import complete
from llm.models import LLMCall, LLMPrice
from llm.prompts import user
from runs.errors import RunFailed
from tests.llm.conftest import PURPOSE, Topics

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = json.dumps({"topics": ["one", "two"]})


def ask(run, words="Name two."):
    return complete([user(words)], schema=Topics, purpose=PURPOSE, run=run)


def refused(run, words="other"):
    with pytest.raises(RunFailed) as failed:
        ask(run, words)
    return failed.value.slug


def call(**values):
    return LLMCall.objects.create(
        **{
            "provider": "openai", "model": "test-model", "purpose": "p", "prompt_version": 1, "prompt_hash": "0" * 64,
            "run_kind": "etl.productsyncrun", "run_id": "1", "run_attempt": 1, "outcome": "ok", "raw": "x",
        }
        | values
    )  # fmt: skip


def price(currency="USD", *, days=-1, **values):
    amounts = {"input_per_million": Decimal("1000"), "output_per_million": Decimal("2000")} | values
    valid_from = timezone.now() + timedelta(days=days)
    return LLMPrice.objects.create(model="test-model", currency=currency, valid_from=valid_from, **amounts)


def test_tokens_beyond_the_budget_are_not_asked_for(endpoint, run, settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=18)
    endpoint.answers(GOOD)
    ask(run)  # 11 + 7
    assert refused(run) == "llm-budget-spent"
    assert (endpoint.count, LLMCall.objects.count()) == (1, 1)


def test_the_next_local_day_begins_anew(endpoint, run, settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=10)
    endpoint.answers(GOOD)
    yesterday = call(tokens_in=100, tokens_out=100)
    LLMCall.objects.filter(pk=yesterday.pk).update(created_at=midnight(timezone.localdate()) - timedelta(seconds=1))
    assert ask(run).data.topics == ["one", "two"]
    LLMCall.objects.filter(pk=yesterday.pk).update(created_at=midnight(timezone.localdate()))
    assert refused(run) == "llm-budget-spent"


def test_what_is_paid_for_already_may_be_taken_whatever_the_budget(endpoint, run, settings):
    endpoint.answers(GOOD)
    ask(run)
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=1)
    assert ask(run).reused


def test_a_re_ask_heeds_the_budget_too(endpoint, run, settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=18)
    endpoint.answers("bad", GOOD)
    assert refused(run) == "llm-budget-spent"
    assert endpoint.count == 1
    settings.LLM_DAILY_BUDGET = DailyBudget()
    made = ask(run, "other")
    assert (made.usage.calls, endpoint.count) == (2, 2)  # the first, bad answer was not paid for again


def test_money_beyond_the_budget_is_not_spent(endpoint, run, settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(money=Decimal("0.02"), currency="USD")
    price()
    endpoint.answers(GOOD)
    ask(run)  # 11 * 0.001 + 7 * 0.002 = 0.025
    assert refused(run) == "llm-budget-spent"
    assert endpoint.count == 1


@pytest.mark.parametrize("priced", [None, "CNY", "later"])
def test_a_budget_in_money_without_a_price_in_its_currency_asks_nothing(endpoint, run, settings, priced):
    settings.LLM_DAILY_BUDGET = DailyBudget(money=Decimal(5), currency="USD")
    endpoint.answers(GOOD)
    if priced:
        price("CNY" if priced == "CNY" else "USD", days=1 if priced == "later" else -1)
    assert refused(run) == "llm-no-price"
    assert endpoint.count == 0


def test_costs_in_other_currencies_do_not_count(settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(money=Decimal(5), currency="USD")
    call(cost=Decimal(4), currency="USD")
    call(cost=Decimal(400), currency="CNY")
    assert budget.today().share == pytest.approx(0.8)
    assert budget.today().is_near
    assert not budget.today().is_spent


def test_answers_without_numbers_are_counted_as_such():
    call(tokens_in=None, tokens_out=None)
    call(tokens_in=5, tokens_out=None)
    call(tokens_in=5, tokens_out=5)
    call(outcome="llm-busy", raw=None)
    used = LLMCall.objects.on_day(timezone.localdate()).used()
    assert (used.calls, used.tokens, used.untold) == (4, 15, 2)


def test_a_server_that_tells_absurd_numbers_breaks_no_sum():
    for _ in range(3):
        call(tokens_in=2**31 - 1, tokens_out=2**31 - 1, cost=Decimal("9999999999"), currency="USD")
    assert LLMCall.objects.on_day(timezone.localdate()).used("USD").tokens == 6 * (2**31 - 1)
    assert LLMCall.objects.per_day(timezone.localdate(), timezone.localdate())[0]["tokens_in"] == 3 * (2**31 - 1)


def test_a_budget_of_nothing_is_spent_from_the_start(endpoint, run, settings):
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=0)
    assert refused(run) == "llm-budget-spent"
