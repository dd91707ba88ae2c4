"""The 22 correctness properties of the document, against a real PostgreSQL.

Each example undoes what it wrote. What answers of the API add to properties 1, 3, 9, 11 and 20 is tested with the API.
"""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cleaning import clean
from distillations import generation, keywords, services, usage
from distillations.models import Distillation, DistillationUsage, GeneratedArticle, GenerationTask, Topic
from distillations.services import GenerationOptions
from distillations.writing import Written
from distilled import article, at_once, drift, execute, task, used

CALM = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
)
FEWER = settings(CALM, max_examples=max(5, settings().max_examples // 4))  # for those that commit, or are slow
DAY = datetime(2026, 1, 1, tzinfo=UTC)

WORDS = st.text("abc词语", min_size=1, max_size=20)
DEEDS = st.sampled_from(["use", "delete", "save", "sql"])
# topics, uses and the day of creation, which several may share
one_source = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2))
sources = st.lists(one_source, min_size=1, max_size=6)
full_sources = st.lists(one_source.map(lambda each: (max(1, each[0]), *each[1:])), min_size=1, max_size=6)


@contextlib.contextmanager
def undone():
    """Whatever the block writes is gone behind it."""
    with transaction.atomic():
        yield
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def stocked(chosen):
    """These distillations with their topics and uses, as (pk, topics, uses, created_at), as stored."""
    made = Distillation.objects.bulk_create(
        Distillation(keyword=f"keyword {n}", provider="deepseek", created_at=DAY + timedelta(days=day))
        for n, (_topics, _uses, day) in enumerate(chosen)
    )
    Topic.objects.bulk_create(
        Topic(distillation=each, question=f"question {n}?")
        for each, (topics, _uses, _day) in zip(made, chosen, strict=True)
        for n in range(topics)
    )
    for each, (_topics, uses, _day) in zip(made, chosen, strict=True):
        if uses:
            used(each, times=uses, topic=each.topics.first())
    return list(Distillation.objects.order_by("id"))


def in_order(made):
    """Least used first, then the oldest, then the least id: said here once more, in Python."""
    return sorted(made, key=lambda each: (each.usage_count, each.created_at, each.pk))


def eligible(made):
    return [each for each in in_order(made) if each.topic_count]


def asked(count, **options):
    return services.request_generation(GenerationOptions(count, **options), actor="test")


def text(slot, of):
    return Written(slot.question, slot.keyword, "rules", "rules", "test")


def generated(count, **options):
    of = asked(count, **options)
    generation.run_generation(of.pk, write=text)
    of.refresh_from_db()
    return of


def taken(of):
    return list(of.slots.order_by("position").values_list("distillation", flat=True))


# Feature: distillation-usage-tracking, Property 1: 任务列表显示关键词
# Validates: Requirements 1.1, 1.2, 1.5, 10.1, 10.2
@pytest.mark.django_db
@CALM
@given(full_sources, st.text("abc词语", min_size=1, max_size=9), st.booleans())
def test_property_1_the_list_of_tasks_shows_keywords(chosen, renamed, deleted):
    with undone():
        first = eligible(stocked(chosen))[0]
        of = asked(1)
        keywords.rename_keyword(first, renamed, actor="test")
        if deleted:
            keywords.delete_distillations([first.pk], actor="test")
        shown = GenerationTask.objects.with_keyword().get(pk=of.pk)
        assert shown.shown_keyword == (first.keyword if deleted else renamed)
        assert shown.is_orphaned is deleted


# Feature: distillation-usage-tracking, Property 2: 新蒸馏结果初始化
# Validates: Requirements 2.1
@pytest.mark.django_db
@CALM
@given(
    st.text("abc词语", min_size=1, max_size=20), st.lists(st.text("abc？", min_size=1), max_size=4), st.integers(0, 99)
)
def test_property_2_a_new_distillation_begins_at_zero(keyword, questions, brought):
    with undone():
        direct = Distillation.objects.create(keyword=keyword, provider="manual", usage_count=brought)
        by_hand = keywords.distil_by_hand(keyword, ["?", *questions], actor="test")
        assert set(Distillation.objects.values_list("usage_count", flat=True)) == {0}
        assert direct.pk != by_hand.pk


# Feature: distillation-usage-tracking, Property 3: 查询结果包含使用次数
# Validates: Requirements 2.2, 6.1, 12.1
@pytest.mark.django_db
@CALM
@given(sources)
def test_property_3_what_is_listed_has_its_usage_count(chosen):
    with undone():
        stocked(chosen)
        listed = Distillation.objects.with_stats().order_by("id")
        assert [(each.topic_count, each.usage_count) for each in listed] == [each[:2] for each in chosen]
        for each in listed:
            assert (each.last_used_at is None) == (each.usage_count == 0)


# Feature: distillation-usage-tracking, Property 4: 使用记录创建完整性
# Validates: Requirements 2.4, 3.1, 3.2
@pytest.mark.django_db
@CALM
@given(full_sources, st.data())
def test_property_4_every_saved_article_has_a_complete_use(chosen, data):
    with undone():
        stocked(chosen)
        of = generated(data.draw(st.integers(1, len(chosen))))
        for each in of.articles.all():
            (use,) = each.uses.all()
            assert (use.distillation_id, use.task_id, use.topic_id) == (each.distillation_id, of.pk, each.topic_id)
            assert use.used_at is not None
        assert of.articles.count() == of.requested_count


# Feature: distillation-usage-tracking, Property 5: 级联删除一致性
# Validates: Requirements 2.5, 2.6
@pytest.mark.django_db
@CALM
@given(sources, st.data(), st.sampled_from(["service", "sql"]))
def test_property_5_uses_go_with_their_distillation_or_article(chosen, data, way):
    with undone():
        made = stocked(chosen)
        gone = data.draw(st.sampled_from(made))
        articles = list(GeneratedArticle.objects.exclude(distillation=gone).values_list("pk", flat=True))
        removed = data.draw(st.lists(st.sampled_from(articles), unique=True)) if articles else []
        if way == "service":
            keywords.delete_distillations([gone.pk], actor="test")
            services.delete_articles(removed, actor="test")
        else:
            execute(f"DELETE FROM distillations WHERE id = {gone.pk}", "DELETE FROM articles WHERE id = 0")
            for pk in removed:
                execute(f"DELETE FROM articles WHERE id = {pk}")
        left = set(DistillationUsage.objects.values_list("article", flat=True))
        assert left == set(articles) - set(removed)
        assert drift() == []


# Feature: distillation-usage-tracking, Property 6: 唯一约束保证
# Validates: Requirements 3.3
@pytest.mark.django_db
@CALM
@given(full_sources, st.data())
def test_property_6_an_article_has_at_most_one_use(chosen, data):
    with undone():
        made = stocked(chosen)
        of = generated(1)
        other = data.draw(st.sampled_from(made))
        with pytest.raises(IntegrityError, match="unique_article_usage"), transaction.atomic():
            DistillationUsage.objects.create(distillation=other, task=of, article=of.articles.get())
        assert drift() == []


# Feature: distillation-usage-tracking, Property 7: 事务完整性
# Validates: Requirements 3.4, 3.5, 9.1, 9.2
@pytest.mark.django_db
@FEWER  # each example logs its traceback
@given(
    full_sources,
    st.sampled_from(
        [
            "BEFORE INSERT ON distillation_usage",
            "AFTER INSERT ON distillation_usage",
            "BEFORE UPDATE OF usage_count ON distillations",
            "BEFORE UPDATE OF usage_count ON topics",
            "BEFORE UPDATE OF article_id ON distillations_generationslot",
        ]
    ),
)
def test_property_7_where_any_part_fails_no_article_is_saved(chosen, broken):
    with undone():
        stocked(chosen)
        of = asked(1)
        before = GeneratedArticle.objects.count()
        execute(
            "CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'broken on purpose'; END $$",
            f"CREATE TRIGGER broken {broken} FOR EACH ROW EXECUTE FUNCTION pg_temp.fail()",
        )
        with pytest.raises(DatabaseError, match="broken on purpose"):
            generation.run_generation(of.pk, write=text)
        execute(f"DROP TRIGGER broken ON {broken.split()[-1]}", "DROP FUNCTION pg_temp.fail()")
        of.refresh_from_db()
        assert (GeneratedArticle.objects.count(), of.generated_count) == (before, 0)
        assert not of.slots.filter(status="done").exists()
        assert drift() == []


# Feature: distillation-usage-tracking, Property 8: 蒸馏结果排序规则
# Validates: Requirements 4.2, 6.2, 7.2, 11.2
@pytest.mark.django_db
@CALM
@given(sources)
def test_property_8_least_used_first_then_the_oldest(chosen):
    with undone():
        made = stocked(chosen)
        assert list(Distillation.objects.least_used_first()) == in_order(made)


# Feature: distillation-usage-tracking, Property 9: 使用历史数据完整性
# Validates: Requirements 4.4, 5.2
@pytest.mark.django_db
@CALM
@given(full_sources, st.text("标题 abc", min_size=1, max_size=30))
def test_property_9_every_use_names_task_article_title_and_time(chosen, title):
    with undone():
        stocked(chosen)
        GeneratedArticle.objects.update(title=title)
        for use in DistillationUsage.objects.history_of(Distillation.objects.first().pk):
            assert None not in (use.task_id, use.article_id, use.used_at)
            assert use.article_title == title


# Feature: distillation-usage-tracking, Property 10: 使用历史查询正确性
# Validates: Requirements 5.1, 5.3
@pytest.mark.django_db
@CALM
@given(sources, st.data())
def test_property_10_the_history_is_of_this_one_only_newest_first(chosen, data):
    with undone():
        asked_for = data.draw(st.sampled_from(stocked(chosen)))
        for use in DistillationUsage.objects.all():
            moment = DAY + timedelta(hours=data.draw(st.integers(0, 3)))
            DistillationUsage.objects.filter(pk=use.pk).update(used_at=moment)
        history = list(DistillationUsage.objects.history_of(asked_for.pk))
        assert {use.distillation_id for use in history} <= {asked_for.pk}
        assert len(history) == asked_for.usage_count
        assert history == sorted(history, key=lambda use: (use.used_at, use.pk), reverse=True)


# Feature: distillation-usage-tracking, Property 11: 推荐结果标记
# Validates: Requirements 6.3
@pytest.mark.django_db
@CALM
@given(sources)
def test_property_11_the_three_least_used_are_marked_on_whatever_page(chosen):
    with undone():
        made = stocked(chosen)
        marked = {each.pk for each in Distillation.objects.with_stats() if each.is_recommended}
        assert marked == {each.pk for each in eligible(made)[:3]}
        last = Distillation.objects.with_stats().order_by("-usage_count", "-created_at", "-id").first()
        assert last.is_recommended == (last.pk in marked)


# Feature: distillation-usage-tracking, Property 12: 智能选择最小使用次数
# Validates: Requirements 7.1
@pytest.mark.django_db
@CALM
@given(sources)
def test_property_12_the_least_used_with_a_topic_is_taken(chosen):
    with undone():
        made = stocked(chosen)
        assume(eligible(made))
        assert taken(asked(1)) == [eligible(made)[0].pk]


# Feature: distillation-usage-tracking, Property 13: 循环使用策略
# Validates: Requirements 7.4
@pytest.mark.django_db
@CALM
@given(full_sources.map(lambda some: [(topics, uses + 1, day) for topics, uses, day in some]), st.integers(1, 8))
def test_property_13_when_all_were_used_it_goes_round_again(chosen, rounds):
    with undone():
        made = stocked(chosen)
        for _ in range(rounds):
            least = eligible(Distillation.objects.all())[0]
            assert taken(generated(1)) == [least.pk]
        assert sum(each.usage_count for each in Distillation.objects.all()) == sum(m.usage_count for m in made) + rounds


# Feature: distillation-usage-tracking, Property 14: 批量选择正确性
# Validates: Requirements 8.1, 8.2
@pytest.mark.django_db
@CALM
@given(sources, st.data())
def test_property_14_n_are_the_n_least_used(chosen, data):
    with undone():
        usable = eligible(stocked(chosen))
        assume(usable)
        count = data.draw(st.integers(1, len(usable)))
        assert taken(asked(count)) == [each.pk for each in usable[:count]]


# Feature: distillation-usage-tracking, Property 15: 立即更新使用次数
# Validates: Requirements 8.4
@pytest.mark.django_db
@CALM
@given(full_sources, st.data())
def test_property_15_each_article_counts_at_once(chosen, data):
    with undone():
        stocked(chosen)
        of = asked(data.draw(st.integers(1, len(chosen))))
        seen = []

        def write(slot, task):
            seen.append(dict(Distillation.objects.values_list("pk", "usage_count")))
            return text(slot, task)

        generation.run_generation(of.pk, write=write)
        seen.append(dict(Distillation.objects.values_list("pk", "usage_count")))
        for pk, before, after in zip(taken(of), seen, seen[1:], strict=False):
            assert after == before | {pk: before[pk] + 1}


# Feature: distillation-usage-tracking, Property 16: 任务内选择唯一性
# Validates: Requirements 8.5
@pytest.mark.django_db
@CALM
@given(full_sources, st.data())
def test_property_16_a_task_takes_each_distillation_once_and_by_hand_each_topic_once(chosen, data):
    with undone():
        made = stocked(chosen)
        of = asked(data.draw(st.integers(1, len(chosen))))
        assert len(set(taken(of))) == of.requested_count
        one = data.draw(st.sampled_from(made))
        by_hand = asked(data.draw(st.integers(1, one.topic_count)), distillation_id=one.pk)
        topics = list(by_hand.slots.values_list("topic", flat=True))
        assert len(set(topics)) == by_hand.requested_count
        if of.requested_count > 1:
            with pytest.raises(IntegrityError, match="a_distillation_once"), transaction.atomic():
                of.slots.update(distillation=one)
        if len(topics) > 1:
            with pytest.raises(IntegrityError, match="a_topic_once"), transaction.atomic():
                by_hand.slots.update(topic=topics[0])


# Feature: distillation-usage-tracking, Property 17: 删除操作一致性
# Validates: Requirements 9.3
@pytest.mark.django_db
@CALM
@given(full_sources, st.data())
def test_property_17_a_deleted_article_lowers_the_count_by_one(chosen, data):
    with undone():
        stocked(chosen)
        of = generated(data.draw(st.integers(1, len(chosen))))
        before = dict(Distillation.objects.values_list("pk", "usage_count"))
        gone = data.draw(st.sampled_from(list(of.articles.order_by("pk"))))
        services.delete_articles([gone.pk], actor="test")
        after = dict(Distillation.objects.values_list("pk", "usage_count"))
        assert after == before | {gone.distillation_id: before[gone.distillation_id] - 1}
        assert not DistillationUsage.objects.filter(article=gone.pk).exists()


# Feature: distillation-usage-tracking, Property 18: 推荐算法正确性
# Validates: Requirements 11.1, 12.3
@pytest.mark.django_db
@CALM
@given(sources, st.integers(1, 5))
def test_property_18_the_first_with_topics_are_recommended(chosen, limit):
    with undone():
        made = stocked(chosen)
        assert Distillation.objects.all().recommended_ids(limit) == [each.pk for each in eligible(made)[:limit]]
        assert list(Distillation.objects.recommended()[:3]) == eligible(made)[:3]


# Feature: distillation-usage-tracking, Property 19: 推荐结果数据完整性
# Validates: Requirements 11.4
@pytest.mark.django_db
@CALM
@given(sources)
def test_property_19_what_is_recommended_has_keyword_uses_and_topics(chosen):
    with undone():
        stocked(chosen)
        for each in Distillation.objects.recommended():
            assert each.keyword
            assert each.usage_count == each.uses.count()
            assert each.topic_count == each.topics.count() > 0


# Feature: distillation-usage-tracking, Property 20: API响应数据一致性
# Validates: Requirements 12.4
@pytest.mark.django_db
@CALM
@given(sources, st.data())
def test_property_20_a_repair_answers_with_exactly_what_it_changed(chosen, data):
    with undone():
        made = stocked(chosen)
        wrong = {each.pk: data.draw(st.integers(0, 9)) for each in made}
        with usage.mending():
            for pk, count in wrong.items():
                execute(f"UPDATE distillations SET usage_count = {count} WHERE id = {pk}")
        repair = usage.repair_usage(actor="test")
        expected = [
            {"distillationId": each.pk, "oldCount": wrong[each.pk], "newCount": each.usage_count}
            for each in made
            if wrong[each.pk] != each.usage_count
        ]
        assert (repair.details, repair.fixed, repair.errors) == (expected, len(expected), [])
        assert drift() == []


# Feature: distillation-usage-tracking, Property 21: 并发选择正确性
# Validates: Requirements 15.1, 15.5
@pytest.mark.django_db(transaction=True)
@FEWER
@given(st.integers(1, 8), st.integers(2, 4), st.integers(1, 3), st.data())
def test_property_21_picks_side_by_side_take_nothing_twice_while_a_less_used_is_free(count, clients, rounds, data):
    clean()
    stocked([(2, 0, 0)] * count)
    wanted = data.draw(st.integers(1, count))
    failures = at_once(*[lambda: [asked(wanted) for _ in range(rounds)]] * clients)
    assert failures == [None] * clients
    loads = list(Distillation.objects.values_list("load", flat=True))
    assert max(loads) - min(loads) <= 1
    assert sum(loads) == clients * rounds * wanted
    assert drift() == []


# Feature: distillation-usage-tracking, Property 22: 并发更新准确性
# Validates: Requirements 15.2
@pytest.mark.django_db(transaction=True)
@FEWER
@given(
    st.integers(1, 4),
    st.integers(2, 4),
    st.lists(st.sampled_from(["use", "delete", "save", "sql"]), min_size=1, max_size=5),
)
def test_property_22_counts_written_side_by_side_are_the_rows(count, clients, deeds):
    clean()
    made = stocked([(1, 1, 0)] * count)

    def work():
        for number, deed in enumerate(deeds):
            each = made[number % count]
            if deed == "use":
                with transaction.atomic():  # as the product does: nobody may delete the article before its use is there
                    of = task("completed", generated_count=1)
                    DistillationUsage.objects.create(distillation=each, task=of, article=article(of, each))
            elif deed == "delete":
                execute("DELETE FROM articles WHERE id = (SELECT min(id) FROM articles)")
            elif deed == "save":
                Distillation.objects.get(pk=each.pk).save()
            else:
                execute("UPDATE distillations SET usage_count = 99")

    failures = at_once(*[work] * clients)
    assert failures == [None] * clients
    assert drift() == []
