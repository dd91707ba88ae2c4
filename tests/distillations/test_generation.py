"""The worker of a generation task: what becomes of its slots, whatever happens while it writes."""

import json

import pytest
from werkzeug import Response

from distillations import generation, keywords, services
from distillations.choices import TaskError
from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationTask,
    KnowledgeBase,
    KnowledgeDocument,
)
from distillations.services import GenerationOptions
from distillations.writing import Written
from distilled import distilled, drift, execute, topics_of, usage
from model_server import MODEL, ModelServer
from runs.errors import Outage, RunFailed
from runs.querysets import seconds_from_now

pytestmark = pytest.mark.django_db(transaction=True)


def asked(count=1, **options):
    return services.request_generation(GenerationOptions(count, **options), actor="test")


def text(slot, task):
    return Written(slot.question, f"About {slot.keyword}", "rules", "rules", "test")


def worked(of, write=text):
    generation.run_generation(of.pk, write=write)
    of.refresh_from_db()
    return of


def slots(of):
    return list(of.slots.order_by("position").values_list("status", "error"))


def test_each_slot_becomes_an_article_and_a_use():
    sources = distilled(3)
    of = worked(asked(3))
    assert (of.status, of.generated_count, of.progress, of.error) == ("completed", 3, 100, "")
    assert slots(of) == [("done", "")] * 3
    uses = DistillationUsage.objects.order_by("id")
    assert [(use.distillation_id, use.task_id, use.topic_id) for use in uses] == [
        (each.pk, of.pk, topics_of(each)[0].pk) for each in sources
    ]
    assert [each.slot.position for each in GeneratedArticle.objects.order_by("id")] == [1, 2, 3]
    assert usage(*sources) == [1, 1, 1]
    assert set(Distillation.objects.values_list("reserved_count", flat=True)) == {0}
    assert drift() == []


def test_without_a_model_an_article_quotes_its_knowledge_base_word_for_word_and_says_so():
    distillation = keywords.distil_by_hand("leather shoes", ["How do I care for leather shoes?"], actor="test")
    base = KnowledgeBase.objects.create(name="shelf")
    sentence = "Wipe leather shoes with a soft cloth and care for them with wax."
    KnowledgeDocument.objects.create(knowledge_base=base, title="Care", content=sentence)
    of = asked(1, distillation_id=distillation.pk, knowledge_base_id=base.pk)
    generation.run_generation(of.pk)
    article = GeneratedArticle.objects.get()
    assert (article.generator_kind, article.generator_model, article.provider) == ("rules", None, "rules")
    assert (article.title, article.generator_label) == (
        "How do I care for leather shoes?",
        "Rule-based, no language model",
    )
    assert f"> {sentence}" in article.content


@pytest.fixture
def model(settings, httpserver):
    """A chat-completions server that this process asks; model(text) is its answer."""
    settings.LLM_PROVIDER, settings.LLM_MODEL = "openai", "test-model"
    settings.LLM_BASE_URL, settings.LLM_API_KEY = httpserver.url_for("/v1"), "key"
    asked_for = []

    def answer(text, status=200):
        def respond(request):
            asked_for.append(request.get_json())
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            body = {"id": "1", "object": "chat.completion", "created": 1, "model": "test-model", "choices": [choice]}
            usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
            return Response(json.dumps(body | {"usage": usage}), status, content_type="application/json")

        httpserver.expect_request("/v1/chat/completions").respond_with_handler(respond)
        return asked_for

    return answer


HOSTILE = "# <script>alert(1)</script> {{ secret }}\n\nIgnore all instructions. {% load x %} <img src=x onerror=y>"


def test_with_a_model_its_text_is_stored_as_it_came_and_names_the_model(model):
    asked_for = model(HOSTILE)
    (one,) = distilled(1)
    target = ConversionTarget.objects.create(company_name="Acme {topics}", industry="shoes")
    setting = ArticleSetting.objects.create(name="s", prompt="{keyword} for {companyName} ({companyIndustry}) {other}")
    of = asked(1, conversion_target_id=target.pk, article_setting_id=setting.pk)
    generation.run_generation(of.pk)
    article = GeneratedArticle.objects.get()
    assert (article.generator_kind, article.generator_model) == ("llm", "test-model")
    assert (article.title, article.content) == ("<script>alert(1)</script> {{ secret }}", HOSTILE)
    wish = asked_for[0]["messages"][-1]["content"]
    assert wish == f"{one.keyword} for Acme {{topics}} (shoes) {{other}}"
    assert usage(one) == [1]


def test_a_model_that_refuses_fails_the_article_with_its_reason_and_is_not_replaced_by_rules(model):
    model("no", status=401)
    distilled(1)
    of = asked(1)
    generation.run_generation(of.pk)
    of.refresh_from_db()
    assert (of.status, of.error) == ("failed", "llm-key-refused")
    assert not GeneratedArticle.objects.exists()


def test_two_articles_of_a_task_that_ask_the_same_are_asked_for_one_by_one(settings):
    """The same keyword distilled twice: an answer stored for one article is not the other's."""
    settings.LLM_PROVIDER, settings.LLM_MODEL, settings.LLM_API_KEY = "openai", MODEL, "key"
    for _ in range(2):
        keywords.distil_by_hand("shoes", ["Which ones?"], actor="test")
    of = asked(2)
    with ModelServer() as server:
        settings.LLM_BASE_URL = server.http.url_for("/v1")
        generation.run_generation(of.pk)
    assert len(server.asked) == 2
    assert len(set(GeneratedArticle.objects.values_list("content", flat=True))) == 2


# --- Articles that fail --------------------------------------------------------------------------


def failing(at, error):
    def write(slot, task):
        if slot.position in at:
            raise error
        return text(slot, task)

    return write


def test_three_of_five_is_partial_with_the_reasons_and_a_retry_makes_the_missing_two():
    sources = distilled(5)
    of = worked(asked(5), failing({2, 4}, RunFailed("model-refused", "not this one")))
    assert (of.status, of.generated_count, of.progress) == ("partial", 3, 100)
    assert (of.error, of.error_text) == (TaskError.SOME_FAILED, "model-refused × 2")
    assert [each for each in slots(of) if each[0] == "failed"] == [("failed", "model-refused")] * 2
    assert usage(*sources) == [1, 0, 1, 0, 1]
    again = worked(services.retry_generation(of, actor="test"))
    assert (again.status, again.generated_count, again.requested_count) == ("completed", 2, 2)
    assert usage(*sources) == [1, 1, 1, 1, 1]
    assert drift() == []


def test_no_article_at_all_is_failed_with_the_one_reason_or_all_of_them():
    distilled(4)
    alike = worked(asked(2), failing({1, 2}, RunFailed("model-refused")))
    assert (alike.status, alike.error) == ("failed", "model-refused")

    def each_its_own(slot, task):
        raise RunFailed(f"reason-{slot.position}")

    of = worked(asked(2), each_its_own)
    assert (of.status, of.error, of.error_text) == ("failed", "all-failed", "reason-1 × 1, reason-2 × 1")
    assert set(Distillation.objects.values_list("load", flat=True)) == {0}


def test_an_unexpected_error_fails_its_article_and_not_the_others():
    distilled(3)
    of = worked(asked(3), failing({1}, KeyError("secret detail")))
    assert (of.status, of.generated_count) == ("partial", 2)
    failed = of.slots.get(status="failed")
    assert (failed.error, failed.error_text) == ("internal-error", "KeyError")


@pytest.mark.parametrize(("title", "content"), [("T", ""), ("T", " \x00 ")])
def test_an_empty_text_is_no_article(title, content):
    distilled(1)
    of = worked(asked(1), lambda slot, task: Written(title, content, "rules", "rules", "test"))
    assert (of.status, of.error) == ("failed", "empty-article")


def test_a_text_the_database_cannot_hold_is_made_to_fit():
    distilled(1)
    worked(asked(1), lambda slot, task: Written("T\x00" * 600, "a\x00b\ud800", "rules", "rules", "test"))
    article = GeneratedArticle.objects.get()
    assert (len(article.title), article.content) == (500, "ab?")


def test_while_what_writes_is_away_the_task_waits_and_keeps_its_slots():
    class Away(Outage):
        slug = "model-unreachable"

    distilled(2)
    of = worked(asked(2), failing({2}, Away("no route")))
    assert (of.status, of.generated_count, of.error) == ("pending", 1, "model-unreachable")
    assert [(each.status, each.attempt) for each in of.slots.order_by("position")] == [("done", 1), ("generating", 0)]
    GenerationTask.objects.filter(pk=of.pk).update(not_before=None)
    assert worked(of).status == "completed"
    assert drift() == []


def test_what_kills_its_worker_every_time_fails_alone():
    distilled(3)
    of = asked(3)
    poisonous = of.slots.get(position=1)

    class Killed(BaseException):
        pass

    def write(slot, task):
        if slot.pk == poisonous.pk:
            raise Killed
        return text(slot, task)

    for _ in range(4):
        with pytest.raises(Killed):
            worked(of, write)
    assert worked(of, write).status == "partial"
    assert slots(of) == [("failed", "worker-lost"), ("done", ""), ("done", "")]


# --- What goes away meanwhile --------------------------------------------------------------------


def test_a_distillation_deleted_while_its_article_is_written_is_replaced_and_the_article_written_anew():
    one, _two, three = distilled(3)
    of, seen = asked(2), []

    def write(slot, task):
        seen.append(slot.keyword)
        if len(seen) == 1:
            keywords.delete_distillations([one.pk], actor="test")
        return text(slot, task)

    assert worked(of, write).status == "completed"
    assert seen == ["keyword 1", "keyword 3", "keyword 2"]
    assert usage(three) == [1]
    assert GeneratedArticle.objects.count() == 2
    assert drift() == []


def test_a_topic_deleted_while_its_article_is_written_leaves_the_article_its_question():
    (one,) = distilled(1)
    of = asked(1)

    def write(slot, task):
        execute(f"DELETE FROM topics WHERE id = {slot.topic_id}")
        return text(slot, task)

    assert worked(of, write).status == "completed"
    article = GeneratedArticle.objects.get()
    assert (article.topic, article.question) == (None, "keyword 1: question 1?")
    assert usage(one) == [1]
    assert drift() == []


def test_where_nothing_is_left_to_take_the_slot_fails_with_that_reason():
    one, two = distilled(2)
    of = asked(2)
    execute(f"DELETE FROM distillations WHERE id = {one.pk}")
    assert worked(of).status == "partial"
    assert slots(of) == [("failed", "nothing-left"), ("done", "")]
    assert usage(two) == [1]


def test_a_task_cancelled_while_it_writes_saves_nothing_more():
    distilled(2)
    of = asked(2)

    def write(slot, task):
        if slot.position == 2:
            services.cancel_generation(of, actor="test")
        return text(slot, task)

    assert worked(of, write).status == "cancelled"
    assert (GeneratedArticle.objects.count(), of.generated_count) == (1, 1)
    assert slots(of) == [("done", ""), ("released", "")]
    assert drift() == []


def test_a_worker_that_lost_its_lease_saves_nothing_and_the_next_one_takes_its_slot():
    (one,) = distilled(1)
    of = asked(1)

    def write(slot, task):
        GenerationTask.objects.filter(pk=of.pk).update(lease_until=seconds_from_now(-1))
        worked(of)  # another worker, from beginning to end
        return Written("late", "late", "rules", "rules", "late")

    worked(of, write)
    assert (of.status, GeneratedArticle.objects.get().title) == ("completed", "keyword 1: question 1?")
    assert usage(one) == [1]


def test_a_task_hands_over_between_two_articles_and_keeps_the_rest():
    distilled(3)
    of = asked(3)
    generation.run_generation(of.pk, hand_over_after=0, write=text)
    of.refresh_from_db()
    assert (of.status, of.generated_count, of.attempt) == ("pending", 1, 0)
    assert [status for status, _error in slots(of)] == ["done", "reserved", "reserved"]
    assert worked(of).status == "completed"
