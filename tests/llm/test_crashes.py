"""A process that dies around an answer: what was stored is not paid for twice."""

import json
import threading

import pytest
from django.db import connection
from pydantic import BaseModel, Field
from werkzeug import Response

from etl.models import ProductSyncRun
from llm.door import complete
from llm.models import LLMCall
from llm.prompts import user
from processes import python, start_python, wait_until
from tests.llm.conftest import PURPOSE, chat

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = json.dumps({"topics": ["one", "two"]})

# what a domain does: ask, then commit what came of it
WORK = """
from django.db import transaction
from etl.models import ProductSyncRun
from llm.door import complete
from llm.prompts import Purpose, user
from pydantic import BaseModel, Field
from runs import failpoints

class Topics(BaseModel):
    topics: list[str] = Field(min_length=2)

run = ProductSyncRun.objects.get(pk={pk})
made = complete([user("Name two.")], schema=Topics, purpose=Purpose("test-topics", version=3), run=run)
failpoints.reached("commit.before")
with transaction.atomic():
    ProductSyncRun.objects.filter(pk=run.pk).update(error_text=",".join(made.data.topics))
"""


class Topics(BaseModel):
    topics: list[str] = Field(min_length=2)


def environment_of(settings):
    return {
        "LLM_PROVIDER": "openai",
        "LLM_BASE_URL": settings.LLM_BASE_URL,
        "LLM_API_KEY": "sk-test",
        "LLM_MODEL": settings.LLM_MODEL,
    }


def killed_at(place, run, settings):
    """A process that does the work and is killed at that place."""
    killed = python(WORK.format(pk=run.pk), FAILPOINT=place, **environment_of(settings))
    assert killed.returncode == -9, killed.stderr


def next_attempt(run):
    return complete([user("Name two.")], schema=Topics, purpose=PURPOSE, run=run)


def test_kill_9_between_the_answer_and_the_commit_pays_once(endpoint, run, settings):
    endpoint.answers(GOOD)
    killed_at("commit.before:1", run, settings)
    assert (LLMCall.objects.get().raw, ProductSyncRun.objects.get(pk=run.pk).error_text) == (GOOD, "")
    made = next_attempt(run)
    assert (made.data.topics, made.reused, endpoint.count) == (["one", "two"], True, 1)


@pytest.mark.long
def test_kill_9_before_the_answer_is_read_pays_once_too(endpoint, run, settings):
    endpoint.answers(GOOD)
    killed_at("answer.after:1", run, settings)
    assert LLMCall.objects.get().outcome == "answered"
    assert next_attempt(run).reused
    assert (endpoint.count, LLMCall.objects.get().outcome) == (1, "ok")


@pytest.mark.long
def test_kill_9_after_a_re_ask_pays_for_neither_again(endpoint, run, settings):
    endpoint.answers("not at all", GOOD)
    killed_at("answer.after:2", run, settings)
    made = next_attempt(run)
    assert (made.reused, made.usage.calls, endpoint.count, LLMCall.objects.count()) == (True, 2, 2, 2)


@pytest.mark.long
def test_kill_9_before_the_answer_is_stored_asks_again_and_leaves_a_trace(endpoint, run, settings):
    endpoint.answers(GOOD)
    killed_at("answer.before:1", run, settings)
    assert not next_attempt(run).reused
    assert endpoint.count == 2
    assert list(LLMCall.objects.order_by("id").values_list("outcome", flat=True)) == ["asking", "ok"]


@pytest.mark.long
def test_a_process_that_waits_for_the_model_holds_no_transaction(endpoint, run, settings):
    """Minutes of thinking must lock nothing and keep no snapshot."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(request):
        asked.set()
        go_on.wait(20)
        return Response(json.dumps(chat(GOOD)), content_type="application/json")

    endpoint.does(slow)
    process = start_python(WORK.format(pk=run.pk), **environment_of(settings))
    try:
        wait_until(asked.is_set, what="the request")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
            )
            assert cursor.fetchone()[0] == 0
    finally:
        go_on.set()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err or out
