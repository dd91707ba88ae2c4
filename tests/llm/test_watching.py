"""The doctor, the metrics and pruning know of the language model."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from werkzeug import Response

from access import pruning
from access.models import AuditEvent
from config.language_model import DailyBudget
from llm import checkup
from llm.door import complete
from llm.models import LLMCall, LLMPrice
from llm.prompts import user
from runs.errors import Outage
from tests.llm.conftest import PURPOSE
from tests.llm.test_budget import call
from watch import counters
from watch.findings import Up
from watch.metrics import exposition

pytestmark = pytest.mark.django_db(transaction=True)

UP = Up(database=True, redis=True)


def findings():
    return {each.check: each for each in checkup.examine(UP)}


def test_no_model_is_no_fault():
    (only,) = findings().values()
    assert only.ok
    assert "composed by rules" in only.text


def test_a_server_that_answers_is_fine_even_without_a_list_of_models(endpoint, httpserver):
    httpserver.expect_request("/v1/models").respond_with_data("no such page", status=404)
    told = findings()
    assert told["model"].ok
    assert "test-model is asked at" in told["model"].text
    assert told["budget"].ok
    assert endpoint.count == 0


@pytest.mark.parametrize(("status", "said"), [(401, "refuses the key"), (403, "refuses the key"), (503, "answers 503")])
def test_a_server_that_refuses_or_fails_is_a_problem(endpoint, httpserver, status, said):
    httpserver.expect_request("/v1/models").respond_with_json({"error": {"message": "no sk-secret-123"}}, status=status)
    told = findings()["model"]
    assert not told.ok
    assert said in told.text
    assert "sk-secret" not in told.text
    assert "LLM_API_KEY" in told.mend


def test_a_server_that_is_away_or_hangs_is_a_problem(endpoint, httpserver, settings):
    httpserver.expect_request("/v1/models").respond_with_handler(lambda request: time.sleep(1) or Response(""))
    settings.LLM_CONNECT_SECONDS = 0.3
    assert "cannot be reached" in findings()["model"].text
    settings.LLM_BASE_URL = "http://127.0.0.1:1/v1"
    assert "cannot be reached" in findings()["model"].text


def test_the_budget_is_looked_at(endpoint, httpserver, settings):
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=100)
    assert findings()["budget"].ok
    call(tokens_in=None, tokens_out=None)
    assert "told no tokens for 1" in findings()["budget"].text
    call(tokens_in=80, tokens_out=1)
    assert "nearly used up: 81 / 100 tokens" in findings()["budget"].text
    call(tokens_in=80, tokens_out=1)
    told = findings()["budget"]
    assert not told.ok
    assert "is used up" in told.text
    settings.LLM_DAILY_BUDGET = DailyBudget(money=Decimal(5), currency="USD")
    assert "has no price in USD" in findings()["budget"].text
    LLMPrice.objects.create(
        model="test-model", currency="USD", input_per_million=1, output_per_million=1, valid_from=timezone.now()
    )
    assert findings()["budget"].ok


def test_tokens_and_calls_by_outcome_are_metrics(endpoint, run, settings):
    counters._forget()
    settings.LLM_RETRIES = 0
    settings.LLM_DAILY_BUDGET = DailyBudget(tokens=36)
    endpoint.answers("hello").fails(500)
    complete([user("a")], purpose=PURPOSE, run=run)
    complete([user("a")], purpose=PURPOSE, run=run)  # reused: neither asked nor counted again
    with pytest.raises(Outage):
        complete([user("b")], purpose=PURPOSE, run=run)
    call(outcome="asking", raw=None, created_at=timezone.now() - timedelta(hours=2))
    told = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        if sample.name.startswith("pressroom_llm")
    }
    assert told == {
        ("pressroom_llm_calls_total", "ok", "test-model"): 1,
        ("pressroom_llm_calls_total", "llm-failing", "test-model"): 1,
        ("pressroom_llm_tokens_total", "in", "test-model"): 11,
        ("pressroom_llm_tokens_total", "out", "test-model"): 7,
        ("pressroom_llm_tokens_today",): 18,
        ("pressroom_llm_budget_used_ratio",): 0.5,
        ("pressroom_llm_calls_lost",): 1,
    }


def test_raw_answers_go_by_age_and_the_account_stays(endpoint, run, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 2)
    old = [call(created_at=timezone.now() - timedelta(days=100), tokens_in=5) for _ in range(5)]
    young = call()
    before = timezone.now() - timedelta(days=90)
    assert pruning.count("raw-answers", before).rows == 5
    assert pruning.prune("raw-answers", before, actor="test").rows == 5
    assert LLMCall.objects.filter(raw=None, tokens_in=5, pk__in=[each.pk for each in old]).count() == 5
    assert LLMCall.objects.get(pk=young.pk).raw == "x"
    assert AuditEvent.objects.filter(action="prune.finished").get().after["rows"] == 5


def test_a_pruned_answer_is_asked_for_again(endpoint, run):
    endpoint.answers("hello")
    complete([user("a")], purpose=PURPOSE, run=run)
    pruning.prune("raw-answers", timezone.now() + timedelta(days=1), actor="test")
    assert not complete([user("a")], purpose=PURPOSE, run=run).reused
    assert endpoint.count == 2
