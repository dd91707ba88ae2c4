"""What people want of tasks, articles and keywords, and when it is refused."""

import pytest
from django.core.exceptions import ValidationError

from access.models import AuditEvent
from distillations import keywords, services
from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationTask,
    KnowledgeBase,
    Topic,
)
from distillations.services import GenerationOptions
from distilled import article, at_once, distilled, drift, task, topics_of, usage, used
from runs.errors import Conflict

pytestmark = pytest.mark.django_db(transaction=True)


def asked(count=1, **options):
    return services.request_generation(GenerationOptions(count, **options), actor="test")


def audited():
    return list(AuditEvent.objects.order_by("id").values_list("action", "object_id"))


def test_a_request_is_queued_audited_and_keeps_the_names_of_what_it_was_asked_for(operator):
    distilled(1)
    target = ConversionTarget.objects.create(company_name="Acme")
    setting = ArticleSetting.objects.create(name="plain", prompt="{keyword}")
    base = KnowledgeBase.objects.create(name="shelf")
    of = services.request_generation(
        GenerationOptions(1, conversion_target_id=target.pk, article_setting_id=setting.pk, knowledge_base_id=base.pk),
        actor=operator,
        requested_by=operator,
    )
    assert (of.status, of.requested_by) == ("pending", operator)
    for model in (ConversionTarget, ArticleSetting, KnowledgeBase):
        services.delete_materials(model, [model.objects.get().pk], actor="test")
    of.refresh_from_db()
    assert (of.conversion_target, of.article_setting, of.knowledge_base) == (None, None, None)
    assert (of.conversion_target_name, of.article_setting_name, of.knowledge_base_name) == ("Acme", "plain", "shelf")
    assert audited()[0] == ("generation-task.requested", str(of.pk))


@pytest.mark.parametrize("count", [0, -1, 101])
def test_a_task_asks_for_1_to_100_articles(count):
    with pytest.raises(ValidationError) as refused:
        asked(count)
    assert set(refused.value.message_dict) == {"requested_count"}


@pytest.mark.parametrize(
    "field", ["distillation_id", "conversion_target_id", "article_setting_id", "knowledge_base_id"]
)
def test_what_does_not_exist_is_named(field):
    distilled(1)
    with pytest.raises(ValidationError) as refused:
        asked(**{field: 10**12})
    assert set(refused.value.message_dict) == {field}
    assert not GenerationTask.objects.exists()


# --- Cancel and retry ----------------------------------------------------------------------------


def test_a_cancelled_task_gives_back_what_it_reserved():
    (one,) = distilled(1)
    of = asked()
    services.cancel_generation(of, actor="test")
    of.refresh_from_db()
    one.refresh_from_db()
    assert (of.status, one.reserved_count) == ("cancelled", 0)
    with pytest.raises(Conflict, match="already ended"):
        services.cancel_generation(of, actor="test")


def ended(status, made, requested=5, **values):
    return task(status, requested=requested, generated_count=made, error="some-failed", **values)


@pytest.mark.parametrize(("status", "made"), [("partial", 3), ("failed", 0), ("cancelled", 1)])
def test_a_retry_is_a_new_task_for_what_is_missing(status, made):
    distilled(5)
    target = ConversionTarget.objects.create(company_name="Acme")
    old = ended(status, made, conversion_target=target)
    new = services.retry_generation(old, actor="test")
    old.refresh_from_db()
    assert (new.requested_count, new.conversion_target_name, old.superseded_by) == (5 - made, "Acme", new)
    assert (old.status, old.generated_count) == (status, made)
    assert new.slots.count() == 5 - made
    with pytest.raises(Conflict) as refused:
        services.retry_generation(old, actor="test")
    assert (refused.value.slug, refused.value.extra) == ("already-retried", {"taskId": new.pk})


def test_a_retry_by_hand_takes_other_topics_of_the_same_distillation():
    one, _other = distilled(2, topics=4)
    topics = topics_of(one)
    used(one, topic=topics[0])
    old = ended("partial", 1, requested=3, mode="manual", distillation=one)
    new = services.retry_generation(old, actor="test")
    assert list(new.slots.order_by("position").values_list("topic", flat=True)) == [topics[1].pk, topics[2].pk]


def test_what_is_open_complete_or_has_lost_its_distillation_is_not_retried():
    distilled(1)
    done = task("completed", requested=2, generated_count=2)
    orphan = ended("failed", 0, mode="manual")
    for of, slug in ((asked(), "task-open"), (done, "nothing-missing"), (orphan, "distillation-deleted")):
        with pytest.raises(Conflict) as refused:
            services.retry_generation(of, actor="test")
        assert refused.value.slug == slug
    assert GenerationTask.objects.count() == 3


def test_of_eight_retries_at_once_one_is_made():
    distilled(8)
    old = ended("failed", 0, requested=1)
    failures = at_once(*[lambda: services.retry_generation(old, actor="test")] * 8)
    assert sorted(map(type, filter(None, failures)), key=str) == [Conflict] * 7
    assert GenerationTask.objects.count() == 2
    assert drift() == []


# --- Delete --------------------------------------------------------------------------------------


def test_a_deleted_task_takes_its_uses_along_and_leaves_its_articles():
    one, other = distilled(2)
    of, kept = (task("completed", generated_count=1) for _ in "ab")
    used(one, of=of, times=2)
    used(other, of=kept)
    assert services.delete_tasks([of.pk, 10**12], actor="test") == [of.pk]
    assert usage(one, other) == [0, 1]
    assert list(GeneratedArticle.objects.filter(task=None).values_list("keyword", flat=True)) == [one.keyword] * 2
    assert audited() == [("generation-task.deleted", str(of.pk))]


def test_a_batch_that_holds_a_running_task_is_refused_as_a_whole():
    sources = distilled(2)
    running, done = task(), task("completed", generated_count=1)
    used(sources[0], of=done)
    GenerationTask.objects.claim(running.pk)
    with pytest.raises(Conflict) as refused:
        services.delete_tasks([done.pk, running.pk], actor="test")
    assert (refused.value.slug, refused.value.extra) == ("task-running", {"taskIds": [running.pk]})
    assert GenerationTask.objects.count() == 2
    assert usage(sources[0]) == [1]
    assert audited() == []


def test_a_waiting_task_may_be_deleted_and_gives_back_what_it_reserved():
    (one,) = distilled(1)
    of = asked()
    services.delete_tasks([of.pk], actor="test")
    one.refresh_from_db()
    assert one.reserved_count == 0


def test_a_deleted_article_lowers_the_count_by_one():
    (one,) = distilled(1)
    first, *_others = used(one, times=3, topic=topics_of(one)[0])
    assert services.delete_articles([first.pk], actor="test") == [first.pk]
    assert services.delete_articles([first.pk], actor="test") == []
    assert usage(one) == [2]
    assert drift() == []


def test_a_reserved_distillation_may_be_deleted_and_empties_no_other_screen():
    one, other = distilled(2)
    of = asked(2)
    used(one, of=task("completed", generated_count=1, distillation=one, keyword=one.keyword))
    assert keywords.delete_distillations([one.pk], actor="test") == [one.pk]
    assert not DistillationUsage.objects.exists()
    assert GeneratedArticle.objects.get().keyword == one.keyword
    assert set(GenerationTask.objects.values_list("keyword", "distillation")) == {(one.keyword, None)}
    assert list(of.slots.values_list("keyword", "distillation")) == [(one.keyword, None), (other.keyword, other.pk)]
    assert drift() == []


def test_a_deleted_topic_leaves_uses_and_the_question():
    (one,) = distilled(1)
    first, _second = topics_of(one)
    used(one, topic=first)
    keywords.delete_topics([first.pk], actor="test")
    one.refresh_from_db()
    assert (one.usage_count, one.topic_count) == (1, 1)
    assert drift() == []


def test_a_drifted_counter_refuses_a_delete_in_words():
    (one,) = distilled(1)
    articles = used(one)
    from django.db import connection, transaction

    from distillations.usage import mending

    with transaction.atomic(), mending(), connection.cursor() as cursor:
        cursor.execute("UPDATE distillations SET usage_count = 0")
    with pytest.raises(Conflict) as refused:
        services.delete_articles([articles[0].pk], actor="test")
    assert refused.value.slug == "counter-drifted"
    assert GeneratedArticle.objects.exists()


def test_all_verbs_at_once_end_in_no_deadlock():
    sources = distilled(6, topics=3)
    tasks = []
    for number in range(24):
        of = task("completed", requested=3, generated_count=3, distillation=sources[number % 6])
        for step in range(3):
            used(
                sources[(number * 5 + step * 2) % 6], of=of, topic=topics_of(sources[(number * 5 + step * 2) % 6])[step]
            )
        tasks.append(of)
    open_ones = [asked(3) for _ in range(8)]
    articles = list(GeneratedArticle.objects.order_by("-id").values_list("pk", flat=True)[:20])
    failures = at_once(
        lambda: [services.delete_tasks([each.pk for each in tasks[at : at + 3]], actor="a") for at in (9, 6, 3, 0)],
        lambda: [services.delete_articles(articles[at::5], actor="b") for at in range(5)],
        lambda: [keywords.delete_distillations([sources[at].pk], actor="c") for at in (3, 1)],
        lambda: [keywords.delete_topics([topics_of(sources[at])[0].pk], actor="d") for at in (5, 4)],
        lambda: [services.cancel_generation(each, actor="e") for each in open_ones],
        lambda: [asked(2) for _ in range(6)],
    )
    assert failures == [None] * 6
    assert drift() == []


# --- Keywords and articles -----------------------------------------------------------------------


def test_a_keyword_distilled_by_hand_keeps_each_question_that_says_something_once():
    made = keywords.distil_by_hand(" 轻便通勤鞋 ", ["哪双好？", "", "  ", "哪双好？", "耐穿吗？"], actor="test")
    assert (made.keyword, made.provider, made.topic_count, made.usage_count) == ("轻便通勤鞋", "manual", 2, 0)
    assert [each.question for each in topics_of(made)] == ["哪双好？", "耐穿吗？"]
    assert audited() == [("distillation.created", str(made.pk))]


@pytest.mark.parametrize(
    ("keyword", "questions", "field"),
    [
        ("", ["?"], "keyword"),
        ("k" * 256, ["?"], "keyword"),
        ("k\x00", ["?"], "keyword"),
        ("k", [], "questions"),
        ("k", ["", " "], "questions"),
        ("k", ["q" * 1001], "questions"),
        ("k", [str(number) for number in range(501)], "questions"),
        ("k", ["\ud800"], "questions"),
    ],
)
def test_what_cannot_be_distilled_is_refused_and_leaves_nothing(keyword, questions, field):
    with pytest.raises(ValidationError) as refused:
        keywords.distil_by_hand(keyword, questions, actor="test")
    assert set(refused.value.message_dict) == {field}
    assert not Distillation.objects.exists()
    assert not Topic.objects.exists()


def test_a_renamed_keyword_leaves_what_was_made_from_the_old_one():
    (one,) = distilled(1)
    used(one)
    renamed = keywords.rename_keyword(one, "new", actor="test")
    assert (renamed.keyword, renamed.usage_count) == ("new", 1)
    assert GeneratedArticle.objects.get().keyword == one.keyword
    event = AuditEvent.objects.get()
    assert (event.before, event.after) == ({"keyword": one.keyword}, {"keyword": "new"})


def test_an_article_is_published_and_taken_back():
    written = article()
    published = services.publish_article(written, published=True, actor="test")
    assert published.is_published
    assert published.published_at is not None
    again = services.publish_article(written, published=True, actor="test")
    assert again.published_at == published.published_at
    assert services.publish_article(written, published=False, actor="test").published_at is None
    assert [action for action, _id in audited()] == ["article.published", "article.unpublished"]
