"""Which distillations and topics a task takes."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import translation

from bench.scenarios import Keywords
from distillations import selection
from distillations.models import Distillation, GenerationSlot, GenerationTask, Topic
from distillations.services import GenerationOptions, request_generation
from distilled import at_once, distilled, drift, execute, slot, task, topics_of, used

pytestmark = pytest.mark.django_db(transaction=True)


def asked(count, **options):
    return request_generation(GenerationOptions(count, **options), actor="test")


def taken(of):
    return list(of.slots.order_by("position").values_list("distillation", flat=True))


def test_a_task_takes_the_least_used_oldest_first():
    one, two, three, four = distilled(4)
    used(one, times=2)
    used(three)
    assert taken(asked(3)) == [two.pk, four.pk, three.pk]
    assert drift() == []


def test_the_task_is_named_after_its_first_distillation_and_its_slots_after_theirs():
    one, two = distilled(2)
    used(one)
    of = asked(2)
    stored = GenerationTask.objects.get(pk=of.pk)
    assert (of.keyword, of.distillation_id) == (stored.keyword, stored.distillation_id) == (two.keyword, two.pk)
    assert list(of.slots.values_list("keyword", "question", "status")) == [
        (two.keyword, "keyword 2: question 1?", "reserved"),
        (one.keyword, "keyword 1: question 1?", "reserved"),
    ]


def test_what_others_have_reserved_counts_as_used():
    sources = distilled(4)
    assert taken(asked(2)) == [sources[0].pk, sources[1].pk]
    assert taken(asked(2)) == [sources[2].pk, sources[3].pk]
    assert taken(asked(2)) == [sources[0].pk, sources[1].pk]


def test_distillations_without_a_topic_are_left_out():
    bare, full = *distilled(1, topics=0), *distilled(1)
    assert taken(asked(1)) == [full.pk]
    with pytest.raises(ValidationError):
        asked(2)
    Topic.objects.create(distillation=bare, question="now?")
    assert taken(asked(1)) == [bare.pk]


def test_each_takes_its_least_used_topic_and_two_tasks_take_different_ones():
    (one,) = distilled(1, topics=3)
    first, second, third = topics_of(one)
    used(one, topic=first)
    picked = [asked(1).slots.get().topic_id for _ in range(3)]
    assert picked[:2] == [second.pk, third.pk]
    assert picked[2] == first.pk, "all are taken once by now, the first by the id"


def test_by_hand_all_articles_take_different_topics_of_one_least_used_first():
    _other, one = distilled(2, topics=4)
    topics = topics_of(one)
    used(one, topic=topics[0])
    of = asked(3, distillation_id=one.pk)
    assert taken(of) == [one.pk] * 3
    assert list(of.slots.order_by("position").values_list("topic", flat=True)) == [each.pk for each in topics[1:]]
    assert (of.mode, of.keyword) == ("manual", one.keyword)
    one.refresh_from_db()
    assert one.reserved_count == 3


# --- Too many ------------------------------------------------------------------------------------


def test_more_than_there_are_is_refused_in_the_documents_words_and_leaves_nothing():
    distilled(2)
    distilled(1, topics=0)
    with translation.override("zh-hans"):
        with pytest.raises(ValidationError) as refused:
            asked(5)
        said = refused.value.message_dict
    assert said == {"requested_count": ["可用蒸馏结果不足，当前只有2个可用，但请求生成5篇文章"]}
    with pytest.raises(ValidationError) as refused:
        asked(5)
    assert refused.value.message_dict["requested_count"] == [
        "Not enough distillations can be used: only 2 are available, but 5 articles were asked for"
    ]
    assert refused.value.error_dict["requested_count"][0].code == "not-enough-distillations"
    assert not GenerationTask.objects.exists()
    assert not GenerationSlot.objects.exists()
    assert drift() == []


def test_more_than_the_topics_of_the_chosen_one_is_refused_too():
    (one,) = distilled(1, topics=2)
    with pytest.raises(ValidationError, match="only 2, but 3"):
        asked(3, distillation_id=one.pk)
    assert not GenerationTask.objects.exists()


# --- Anew ----------------------------------------------------------------------------------------


def picked_anew(one):
    with transaction.atomic():
        selection.lock_pick()
        one.refresh_from_db()
        selection.pick_anew(one)


def test_a_slot_whose_topic_vanished_takes_another_of_the_same_distillation():
    one, _other = distilled(2, topics=2)
    of = asked(1)
    execute(f"DELETE FROM topics WHERE id = {of.slots.get().topic_id}")
    picked_anew(of.slots.get())
    assert of.slots.get().distillation_id == one.pk
    assert of.slots.get().topic_id == topics_of(one)[0].pk
    assert drift() == []


def test_a_slot_whose_distillation_vanished_takes_the_least_used_that_its_task_does_not_have():
    sources = distilled(4)
    used(sources[2])
    of = asked(2)
    execute(f"DELETE FROM distillations WHERE id = {sources[0].pk}")
    picked_anew(of.slots.get(position=1))
    assert taken(of) == [sources[3].pk, sources[1].pk]
    assert drift() == []


def test_where_nothing_is_left_the_slot_fails_with_the_reason():
    sources = distilled(2)
    of = asked(2)
    execute(f"DELETE FROM distillations WHERE id = {sources[0].pk}")
    with pytest.raises(selection.RunFailed, match="nothing-left"):
        picked_anew(of.slots.get(position=1))
    manual = asked(2, distillation_id=sources[1].pk)
    execute(f"DELETE FROM topics WHERE id = {manual.slots.get(position=1).topic_id}")
    with pytest.raises(selection.RunFailed, match="nothing-left"):
        picked_anew(manual.slots.get(position=1))


# --- Side by side --------------------------------------------------------------------------------


def test_eight_who_pick_at_once_never_take_one_twice_while_a_less_used_is_free():
    distilled(20)
    failures = at_once(*[lambda: [asked(3) for _ in range(5)]] * 8)
    assert failures == [None] * 8
    assert set(Distillation.objects.values_list("load", flat=True)) == {6}
    assert drift() == []


def test_a_pick_beside_a_delete_in_sql_takes_something_else():
    """Past the services, so without the lock of the pick: the foreign key is found broken at the commit."""
    sources = distilled(12)

    def delete():
        for each in sources[:8]:
            execute(f"DELETE FROM distillations WHERE id = {each.pk}")

    failures = at_once(delete, *[lambda: [asked(1) for _ in range(4)]] * 3)
    assert failures == [None] * 4
    assert drift() == []


# --- At a size -----------------------------------------------------------------------------------


def plan_of(query, params=None):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}", params)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize("count", [200_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_with_many_distillations_half_of_them_bare_the_pick_and_the_recommended_walk_their_indexes(count):
    Keywords(count).stage()
    execute("ANALYZE distillations", "ANALYZE topics")
    facts = {"task": task(requested=3).pk, "requested": 3, "distillation": None}
    plan = plan_of(selection.PICK_LEAST_USED, facts)
    assert "Index Scan using distillation_next_to_pick" in plan
    assert "Seq Scan on distillations " not in plan
    assert "Seq Scan on topics" not in plan
    query, params = Distillation.objects.recommended()[:3].query.sql_with_params()
    assert "distillation_recommended" in plan_of(query, params)
    query, params = Distillation.objects.least_used_first()[:10].query.sql_with_params()
    assert "idx_distillations_usage_count" in plan_of(query, params)
    of = asked(3)
    execute(f"DELETE FROM distillations WHERE id = {of.slots.get(position=1).distillation_id}")
    one = of.slots.get(position=1)
    facts = {"slot": one.pk, "task": of.pk, "own": None, "is_auto": True}
    assert "distillation_next_to_pick" in plan_of(selection.PICK_ANEW, facts)


def test_a_slot_of_another_task_does_not_stand_in_the_way():
    (one,) = distilled(1, topics=1)
    slot(task(), one, topic=topics_of(one)[0])
    assert taken(asked(1)) == [one.pk]
