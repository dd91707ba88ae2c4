"""Operators see what the model was asked and cost, as far as their role goes."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditEvent
from config.language_model import DailyBudget
from llm.models import LLMCall, LLMPrice
from tests.llm.test_budget import call

pytestmark = pytest.mark.django_db(transaction=True)

CALLS, PRICES = "/admin/llm/llmcall/", "/admin/llm/llmprice/"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def model(settings):
    settings.LLM_PROVIDER, settings.LLM_MODEL = "openai", "test-model"
    return settings


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("url", [CALLS, PRICES])
def test_lists_open_empty(url, language, viewer, desk_of):
    answer = desk_of(viewer).get(url, headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in answer.content.decode()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_calls_are_listed_with_sums_and_what_servers_say_is_escaped(language, viewer, desk_of, model):
    model.LLM_DAILY_BUDGET = DailyBudget(tokens=1000, money=Decimal(5), currency="USD")
    call(tokens_in=300, tokens_out=200, cost=Decimal("1.25"), currency="USD", seconds=1.5)
    call(tokens_in=1, tokens_out=2, cost=Decimal("7"), currency="CNY")
    call(outcome="llm-busy", raw=None, error_text=HOSTILE, model=HOSTILE, purpose=HOSTILE[:64], run_id=HOSTILE)
    call(outcome="asking", raw=None, created_at=timezone.now() - timedelta(hours=3))
    page = desk_of(viewer).get(CALLS, headers={"accept-language": language}).content.decode()
    assert HOSTILE not in page
    for told in ("503", "50 %", "1.25", "USD", "CNY", "/admin/etl/productsyncrun/1/change/"):
        assert told in page
    assert ("never ended" if language == "en" else "始终没有结束") in page
    assert "<svg" in page


def test_a_list_costs_the_same_queries_for_one_call_and_for_many(viewer, desk_of, model):
    desk = desk_of(viewer)
    call()
    desk.get(CALLS)
    with CaptureQueriesContext(connection) as few:
        desk.get(CALLS)
    for number in range(30):
        call(model=f"m{number}")
    with CaptureQueriesContext(connection) as many:
        desk.get(CALLS)
    assert len(many) == len(few)
    assert not any('"llm_calls"."raw",' in each["sql"] for each in many)  # answers may be long


@pytest.mark.parametrize("query", ["outcome=ok", "purpose=p", "model=test-model", "q=1", "outcome=nonsense", "q=%00"])
def test_filters_and_search_work_and_nonsense_breaks_nothing(query, viewer, desk_of):
    call()
    call(outcome="llm-busy", purpose="other", model="other", run_id="2")
    answer = desk_of(viewer).get(f"{CALLS}?{query}", follow=True)
    assert answer.status_code == 200
    if "nonsense" not in query and "%00" not in query:
        assert answer.context["cl"].result_count == 1


def test_only_operators_read_raw_answers_and_these_are_escaped(viewer, operator, desk_of):
    one = call(raw=f"secret {HOSTILE}")
    page = desk_of(viewer).get(f"{CALLS}{one.pk}/change/").content.decode()
    assert "secret" not in page
    assert "Only operators may read it." in page
    page = desk_of(operator).get(f"{CALLS}{one.pk}/change/").content.decode()
    assert "secret &lt;script&gt;" in page
    assert HOSTILE not in page


def test_nobody_edits_a_call(administrator, desk_of):
    one = call()
    desk = desk_of(administrator)
    assert desk.post(f"{CALLS}{one.pk}/change/", {"outcome": "ok"}).status_code == 403
    assert desk.post(f"{CALLS}{one.pk}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get(f"{CALLS}add/").status_code == 403


WISH = {
    "model": "gpt-x", "currency": "usd", "input_per_million": "0.15", "output_per_million": "0.6",
    "valid_from_0": "2026-01-01", "valid_from_1": "00:00:00",
}  # fmt: skip


def test_administrators_keep_prices_and_each_change_is_on_record(administrator, operator, desk_of):
    assert desk_of(operator).post(f"{PRICES}add/", WISH).status_code == 403
    desk = desk_of(administrator)
    assert desk.post(f"{PRICES}add/", WISH).status_code == 302
    price = LLMPrice.objects.get()
    assert (price.currency, price.input_per_million) == ("USD", Decimal("0.15"))
    assert desk.post(f"{PRICES}{price.pk}/change/", WISH | {"input_per_million": "0.2"}).status_code == 302
    assert desk.post(f"{PRICES}{price.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not LLMPrice.objects.exists()
    added, changed, deleted = AuditEvent.objects.filter(action__startswith="llm-price").order_by("id")
    assert (added.action, changed.action, deleted.action) == (
        "llm-price.added", "llm-price.changed", "llm-price.deleted"
    )  # fmt: skip
    assert changed.before["inputPerMillion"] == Decimal("0.15")
    assert changed.after["inputPerMillion"] == Decimal("0.2")
    assert {each.actor_name for each in (added, changed, deleted)} == {"administrator"}


@pytest.mark.parametrize(
    "wrong",
    [{"currency": "dollar"}, {"currency": "$$$"}, {"input_per_million": "-1"}, {"output_per_million": "NaN"},
     {"valid_from_0": "never"}, {"model": ""}, {"model": "a\x00b"}],
)  # fmt: skip
def test_a_senseless_price_is_refused_in_words(wrong, administrator, desk_of):
    answer = desk_of(administrator).post(f"{PRICES}add/", WISH | wrong)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not LLMPrice.objects.exists()


def test_the_same_price_twice_is_refused_in_words(administrator, desk_of):
    desk = desk_of(administrator)
    desk.post(f"{PRICES}add/", WISH)
    page = desk.post(f"{PRICES}add/", WISH).content.decode()
    assert "already has a price from that moment on" in page
    assert LLMPrice.objects.count() == 1


def test_home_says_that_rules_compose(viewer, stranger, desk_of):
    page = desk_of(viewer).get("/admin/").content.decode()
    assert "Rule-based, no language model" in page
    assert "Rule-based" not in desk_of(stranger).get("/admin/").content.decode()


def test_home_shows_the_model_its_tokens_and_a_spent_budget(viewer, desk_of, model):
    model.LLM_DAILY_BUDGET = DailyBudget(tokens=100)
    call(tokens_in=60, tokens_out=25)
    page = desk_of(viewer).get("/admin/").content.decode()
    assert "85 % of today&#x27;s budget" in page
    assert "nearly used up: 85 / 100 tokens" in page
    call(tokens_in=60, tokens_out=25)
    call(outcome="llm-key-refused", raw=None)
    page = desk_of(viewer).get("/admin/").content.decode()
    assert "is used up: 170 / 100 tokens" in page
    assert "refuses the key" in page
    assert LLMCall.objects.count() == 3


def test_home_says_when_a_budget_in_money_cannot_be_kept(viewer, desk_of, model):
    model.LLM_DAILY_BUDGET = DailyBudget(money=Decimal(5), currency="USD")
    assert "has no price in the currency of the daily budget" in desk_of(viewer).get("/admin/").content.decode()
