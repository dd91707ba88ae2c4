"""Editors decide, order, edit and restore: all or nothing, by version, each on record."""

import threading
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from exports.models import ManualReview
from exports.reviewing import Edit, decide, edit, put_back, put_in_order, restore
from pool import listed, places, pour, review
from runs.errors import Conflict

pytestmark = pytest.mark.django_db

SLASHED = "a/b/😀"


def everything():
    return list(ManualReview.objects.order_by("id").values())


def export(*ids):
    ManualReview.objects.filter(article_id__in=ids).update(status="exported", rank=1)


def test_decided_articles_go_to_their_lists_in_the_order_they_are_named():
    pour("a", "b", "c", "d", SLASHED)
    made = decide(selected=["c", "a"], backup=["b"], discarded=["d"], actor="test")
    assert made.counts == {"selected": 2, "backup": 1, "discarded": 1, "pending": 0}
    assert made.before == dict.fromkeys("abcd", ("pending", None))
    assert places("c", "a", "b", "d", SLASHED) == [
        ("selected", 1), ("selected", 2), ("backup", 1), ("discarded", None), ("pending", None),
    ]  # fmt: skip


def test_newly_picked_articles_go_behind_the_present_end_of_their_list():
    pour("a", "b", "c")
    decide(selected=["a"], actor="test")
    ManualReview.objects.filter(article_id="a").update(rank=7)
    decide(selected=["c", "b"], actor="test")
    assert listed("selected") == ["a", "c", "b"]
    assert places("c", "b") == [("selected", 8), ("selected", 9)]


def test_an_article_that_is_picked_already_keeps_its_place_and_version():
    pour("a", "b")
    decide(selected=["a", "b"], actor="test")
    made = decide(selected=["a"], actor="test")
    assert (made.counts["selected"], made.updated) == (1, 0)
    assert (review("a").rank, review("a").version) == (1, 2)


def test_discarded_and_pending_articles_lose_their_place():
    pour("a", "b")
    decide(selected=["a", "b"], actor="test")
    decide(discarded=["a"], pending=["b"], actor="test")
    assert places("a", "b") == [("discarded", None), ("pending", None)]


def test_a_decision_says_who_when_and_counts_the_version_up(operator):
    pour("a")
    decide(selected=["a"], actor=operator, note_actor="console of room 3")
    made = review("a")
    assert (made.decided_by, made.version) == ("operator", 2)
    assert made.decided_at is not None
    event = AuditEvent.objects.get(action="reviews.decided")
    assert (event.actor_name, event.object_id) == ("operator", str(made.pk))
    assert event.before == {"places": {"a": ["pending", None]}}
    assert event.after["places"] == {"a": ["selected", 1]}
    assert event.after["actor"] == "console of room 3"


@pytest.mark.parametrize(
    "groups",
    [
        {"selected": ["a"], "backup": ["a"]},
        {"pending": ["a"], "discarded": ["b", "a"]},
        {"selected": ["a", "a"]},
        {"selected": ["a", "nobody's"]},
        {"selected": ["a"], "discarded": ["x" * 10_000]},
        {"selected": ["a", "a\0b"]},
        {"selected": ["a", "\ud800"]},
    ],
)
def test_a_decision_that_cannot_be_read_one_way_changes_nothing(groups):
    pour("a", "b")
    before = everything()
    with pytest.raises(ValidationError) as refusal:
        decide(**groups, actor="test")
    assert len(refusal.value.messages[0]) < 300
    assert everything() == before


def test_unknown_ids_are_named_some_of_them():
    pour("a")
    with pytest.raises(ValidationError, match=r"There is no such article: n-0, .*n-9 \(\+20\)"):
        decide(selected=["a", *(f"n-{each}" for each in range(30))], actor="test")


def test_the_second_of_two_editors_is_told_what_is_there_now_and_nothing_is_lost():
    pour("a", "b")
    decide(selected=["a"], versions={"a": 1}, actor="first")
    before = everything()
    with pytest.raises(Conflict) as refusal:
        decide(discarded=["a", "b"], versions={"a": 1, "b": 1}, actor="second")
    assert refusal.value.slug == "stale-version"
    assert [(each["articleId"], each["status"], each["version"]) for each in refusal.value.extra["current"]] == [
        ("a", "selected", 2)
    ]
    assert everything() == before


def test_two_decisions_at_the_same_moment_end_as_one_decision_and_one_refusal(transactional_db):
    pour("a")
    start, ends = threading.Barrier(2), []

    def editor(group):
        try:
            start.wait()
            decide(**{group: ["a"]}, versions={"a": 1}, actor=group)
            ends.append("done")
        except Conflict as refusal:
            ends.append(refusal.slug)
        finally:
            connection.close()

    editors = [threading.Thread(target=editor, args=(group,)) for group in ("selected", "backup")]
    for each in editors:
        each.start()
    for each in editors:
        each.join()
    assert sorted(ends) == ["done", "stale-version"]
    assert review("a").version == 2


def test_two_editors_who_pick_at_the_same_moment_share_no_place(transactional_db):
    ids = [f"a-{each}" for each in range(40)]
    pour(*ids)
    start = threading.Barrier(4)

    def editor(mine):
        try:
            start.wait()
            for each in mine:
                decide(selected=[each], actor="test")
        finally:
            connection.close()

    editors = [threading.Thread(target=editor, args=(ids[number::4],)) for number in range(4)]
    for each in editors:
        each.start()
    for each in editors:
        each.join()
    assert sorted(rank for _status, rank in places(*ids)) == list(range(1, 41))


def test_an_exported_article_cannot_be_decided_about():
    pour("a", "b")
    export("a")
    before = everything()
    with pytest.raises(Conflict) as refusal:
        decide(discarded=["b", "a"], actor="test")
    assert refusal.value.slug == "already-exported"
    assert [each["articleId"] for each in refusal.value.extra["current"]] == ["a"]
    assert everything() == before


def test_an_order_gives_places_and_lists():
    pour("a", "b", "c", "d")
    decide(selected=["a", "b"], backup=["c"], actor="test")
    made = put_in_order(selected=["b", "c"], backup=["a", "d"], actor="test")
    assert (made.counts, made.updated) == ({"selected": 2, "backup": 2}, 4)
    assert (listed("selected"), listed("backup")) == (["b", "c"], ["a", "d"])
    assert made.before["c"] == ("backup", 1)


def test_what_an_order_does_not_name_follows_behind_and_keeps_its_version():
    pour("a", "b", "c", "d")
    decide(selected=["a", "b", "c", "d"], actor="test")
    put_in_order(selected=["d"], actor="test")
    assert listed("selected") == ["d", "a", "b", "c"]
    assert places("d", "a", "b", "c") == [("selected", each) for each in (1, 2, 3, 4)]
    assert [review(each).version for each in "abcd"] == [2, 2, 2, 3]


def test_an_order_leaves_the_list_it_does_not_name_alone():
    pour("a", "b")
    decide(selected=["a"], backup=["b"], actor="test")
    put_in_order(selected=["a"], actor="test")
    assert places("a", "b") == [("selected", 1), ("backup", 1)]
    assert review("a").version == 2


@pytest.mark.parametrize("lists", [{"selected": ["a"], "backup": ["a"]}, {"selected": ["a", "a"]}, {"backup": ["?"]}])
def test_an_order_that_cannot_be_read_one_way_changes_nothing(lists):
    pour("a")
    before = everything()
    with pytest.raises(ValidationError):
        put_in_order(**lists, actor="test")
    assert everything() == before


def test_an_order_by_old_versions_or_of_exported_articles_is_refused():
    pour("a", "b")
    decide(selected=["a", "b"], actor="test")
    with pytest.raises(Conflict, match="Somebody else"):
        put_in_order(selected=["b", "a"], versions={"b": 1}, actor="test")
    export("a")
    with pytest.raises(Conflict, match="restore them first"):
        put_in_order(selected=["b", "a"], actor="test")
    assert review("b").rank == 2


def test_an_edit_writes_what_it_names_and_keeps_the_rest():
    pour("a")
    edit({"a": Edit(summary=" Better. ", notes="Call back")}, actor="test")
    edit({"a": Edit(llm_source="Evening Post", score="91.5")}, actor="test")
    made = review("a")
    assert (made.summary, made.manual_llm_source, made.notes, made.version) == (
        "Better.",
        "Evening Post",
        "Call back",
        3,
    )
    assert (made.score, made.list_score) == (Decimal("91.5"), Decimal("91.5"))


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_an_empty_value_gives_back_to_the_article_its_own(nothing):
    pour("a")
    edit({"a": Edit(summary="Better.", llm_source="Post", score="91", notes="n")}, actor="test")
    edit({"a": Edit(summary=nothing, llm_source=nothing, score=nothing)}, actor="test")
    made = review("a")
    assert (made.summary, made.manual_llm_source, made.score, made.list_score) == (None, None, None, Decimal(80))
    assert made.notes == "n"


def test_an_edit_that_changes_nothing_is_not_written():
    pour("a")
    edit({"a": Edit(summary="Better.")}, actor="test")
    assert edit({"a": Edit(summary="Better.")}, actor="test").updated == 0
    assert review("a").version == 2
    assert AuditEvent.objects.filter(action="reviews.edited").count() == 1


def test_one_bad_edit_spoils_all_of_them():
    pour("a", "b")
    before = everything()
    for wrong in (Edit(score="many"), Edit(score="1000"), Edit(summary="a\0b"), Edit(notes="\ud800")):
        with pytest.raises(ValidationError, match="b, "):
            edit({"a": Edit(summary="Better."), "b": wrong}, actor="test")
    with pytest.raises(ValidationError, match="no such article"):
        edit({"a": Edit(summary="Better."), "?": Edit(summary="x")}, actor="test")
    with pytest.raises(Conflict):
        edit({"a": Edit(summary="Better."), "b": Edit(summary="x", version=7)}, actor="test")
    assert everything() == before


def test_an_edit_is_on_record_with_both_texts_cut_short():
    pour("a")
    edit({"a": Edit(summary="x" * 10_000)}, actor="test")
    event = AuditEvent.objects.get(action="reviews.edited")
    assert event.before == {"edits": {"a": {"summary": None}}}
    assert len(event.after["edits"]["a"]["summary"]) == 500


def test_an_audit_event_stays_small_however_many_articles_there_are():
    ids = [f"{each:04}" + "x" * 500 for each in range(300)]
    pour(*ids)
    decide(selected=ids, actor="test")
    event = AuditEvent.objects.get(action="reviews.decided")
    assert event.after["rows"] == 300
    assert len(event.after["places"]) == 50


def test_restoring_makes_exported_articles_pending_and_nothing_else():
    pour("a", "b")
    export("a")
    with pytest.raises(Conflict) as refusal:
        restore(["a", "b"], actor="test")
    assert refusal.value.slug == "not-exported"
    restore(["a"], actor="test")
    assert places("a") == [("pending", None)]
    assert review("a").version == 2


def test_putting_back_undoes_a_decision_to_the_very_place():
    pour("a", "b", "c")
    decide(selected=["a", "b", "c"], actor="test")
    made = decide(discarded=["b"], actor="test")
    put_back(made.before, versions={"b": 3}, actor="test")
    assert listed("selected") == ["a", "b", "c"]
    with pytest.raises(ValidationError):
        put_back({"a": ("exported", 1)}, actor="test")
    with pytest.raises(Conflict):
        put_back(made.before, versions={"b": 3}, actor="test")


def test_a_verb_takes_the_same_number_of_statements_for_any_number_of_rows():
    ids = [f"a-{each}" for each in range(200)]
    pour(*ids)

    def statements(verb):
        with CaptureQueriesContext(connection) as queries:
            verb()
        return len(queries)

    few = statements(lambda: decide(selected=ids[:2], actor="test"))
    assert statements(lambda: decide(selected=ids[2:], actor="test")) <= few
    few = statements(lambda: put_in_order(selected=ids[1::-1], actor="test"))
    assert statements(lambda: put_in_order(selected=ids[::-1], actor="test")) <= few
    few = statements(lambda: edit({each: Edit(notes="n") for each in ids[:2]}, actor="test"))
    assert statements(lambda: edit({each: Edit(notes=each) for each in ids}, actor="test")) <= few


def test_an_actor_may_be_a_word():
    pour("a")
    decide(selected=["a"], actor="schedule")
    assert review("a").decided_by == "schedule"
    assert not User.objects.exists()
