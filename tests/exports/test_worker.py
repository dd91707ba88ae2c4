"""The worker's export: what it chooses, what it leaves out and why, and what it leaves behind."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import chain

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from access.models import AuditEvent
from exports import services, worker
from exports.funnel import draft
from exports.models import Article, BriefBatch, BriefItem, BriefTemplate, ExportRun, ManualReview
from exports.printing import sha256_of
from observed import everything, physical
from runs.errors import Conflict
from runs.services import cancel
from worker_briefs import DAY, NOON, article, articles, assert_adds_up, by_hand, exported, in_brief, options, skipped

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]


def test_the_best_articles_go_into_the_brief_in_order_of_score_age_and_id():
    article("low", score=Decimal("59.999"))
    article("none", score=None)
    article("b", title="Harvest in the south", score=Decimal(70), published_at=NOON)
    article("a", title="A bridge is opened", score=Decimal(70), published_at=NOON)
    article("newer", title="Teachers meet", score=Decimal(70), published_at=NOON + timedelta(hours=1))
    article("best", title="New timetable", score=Decimal("99.5"))
    run = exported()
    assert (run.status, run.error) == ("completed", "")
    # of equal scores the earliest is the best of its story and stands first
    assert in_brief() == ["best", "a", "b", "newer"]
    assert run.funnel["candidates"] == 4
    assert_adds_up(run)


def test_sections_are_printed_in_the_order_of_the_template_unknown_ones_as_they_always_were():
    article("1", region="external", sentiment="negative")
    article("2", region="unknown", sentiment="unknown")
    article("3", region="internal", sentiment="negative")
    article("4", region="internal", sentiment="unknown")
    run = exported()
    assert in_brief() == ["4", "3", "2", "1"]
    assert [each["articles"] for each in run.funnel["buckets"]] == [1, 1, 1, 1]
    assert (run.funnel["unknownRegion"], run.funnel["unknownSentiment"]) == (1, 2)


def test_near_identical_stories_stand_together_best_first_and_say_why():
    body = "The council approved the new meals plan for all primary schools from September on, officials said."
    article("copy", title="Meals plan", summary=body + " (wire)", score=Decimal(70))
    article("other", title="A bridge is opened", summary="The bridge over the canal is open again.", score=Decimal(90))
    article("first", title="Meals plan", summary=body, score=Decimal(95))
    run = exported()
    assert in_brief() == ["first", "copy", "other"]
    likeness = {item.article_id: item.metadata for item in BriefItem.objects.all()}
    assert [likeness[each]["cluster_id"] for each in in_brief()] == ["first", "first", "other"]
    assert likeness["copy"]["reason"] == "alike"
    assert 0.6 <= likeness["copy"]["similarity"] < 1
    assert likeness["first"]["title"] == "Meals plan"
    assert run.funnel["clusters"] == 2
    assert run.content.count("---") == 1


def test_text_payload_and_hash_are_kept_with_the_run_and_with_the_batch():
    articles(20)
    run = exported()
    batch = BriefBatch.objects.get()
    assert run.brief_batch == batch
    assert run.content == batch.content
    assert run.content.startswith("【")
    assert run.sha256 == batch.sha256 == sha256_of(run.content)
    assert run.payload == batch.export_payload
    assert sorted(chain.from_iterable(run.payload["printed"].values())) == sorted(in_brief())
    assert (run.printed, run.recorded) == (20, 20)
    assert (batch.report_tag, batch.report_date, batch.sequence_no, batch.source) == ("2026-03-01", DAY, 1, "worker")
    event = AuditEvent.objects.get(action="brief.exported")
    assert (event.object_id, event.after["printed"], event.after["sha256"]) == (str(batch.pk), 20, batch.sha256)


def test_a_limit_counts_what_is_left_after_skipping():
    articles(30)
    first = exported("2026-03-01", limit=10)
    second = exported("2026-03-02", limit=15)
    assert (first.printed, skipped(first)) == (10, {"beyond-limit": 20})
    assert (second.printed, skipped(second)) == (15, {"exported-by-worker": 10, "beyond-limit": 5})
    assert not set(in_brief("2026-03-01")) & set(in_brief("2026-03-02"))
    assert_adds_up(first)
    assert_adds_up(second)


def test_what_is_skipped_is_counted_by_reason_and_the_best_of_it_listed():
    article("none", summary=" \n", score=Decimal(99))
    article("wrong place", region="external", sentiment="positive", score=Decimal(98))
    for n in range(25):
        article(f"gone {n:02}", status="discarded", score=Decimal(97) - n)
    article("good", score=Decimal(70))
    run = exported(template="zongbao")
    assert in_brief() == ["good"]
    assert skipped(run) == {"discarded": 25, "no-summary": 1, "bucket-not-in-template": 1}
    assert run.funnel["skipped"]["discarded"]["first"] == [f"gone {n:02}" for n in range(20)]
    assert run.funnel["skipped"]["no-summary"]["first"] == ["none"]
    assert_adds_up(run)


def test_an_article_that_a_human_discarded_is_never_exported():
    article("discarded", status="discarded")
    article("kept")
    for wish in ({}, {"skip_exported": False}, {"skip_scope": "worker"}):
        run = exported(f"2026-03-01-{len(wish)}{next(iter(wish), '')}", **wish)
        assert skipped(run)["discarded"] == 1
    assert "discarded" not in BriefItem.objects.values_list("article_id", flat=True)


@pytest.mark.parametrize("store", ["manual", "brief"])
def test_what_was_exported_by_hand_is_skipped_with_all_and_not_with_worker(settings, store):
    settings.EXPORTS_MANUAL_STORE = store
    article("handmade")
    article("new", title="A bridge is opened")
    by_hand("by-hand", "handmade")
    strict = exported("2026-03-01", skip_scope="all")
    assert in_brief("2026-03-01") == ["new"]
    assert skipped(strict) == {"exported-by-hand": 1}
    isolated = exported("2026-03-02", skip_scope="worker")
    assert in_brief("2026-03-02") == ["handmade"]
    assert skipped(isolated) == {"exported-by-worker": 1}


def test_no_skip_exported_leaves_out_only_what_this_brief_has_already():
    article("1")
    exported("2026-03-01")
    again = exported("2026-03-01", skip_exported=False)
    assert (again.printed, skipped(again)) == (0, {"exported-this-tag": 1})
    assert exported("2026-03-02", skip_exported=False).printed == 1


def test_a_brief_goes_on_behind_what_it_has():
    articles(10)
    exported(limit=4)
    run = exported(limit=4)
    assert len(in_brief()) == 8
    assert (run.recorded, skipped(run)) == (4, {"exported-this-tag": 4, "beyond-limit": 2})
    assert BriefBatch.objects.get().content == run.content


def test_nothing_to_export_is_no_failure_and_makes_no_batch():
    run = exported()
    assert (run.status, run.printed, run.content, run.sha256) == ("completed", 0, "", "")
    assert (run.funnel["candidates"], run.funnel["exported"]) == (0, 0)
    assert not BriefBatch.objects.exists()


def test_the_worker_changes_no_review_and_nothing_that_was_made_by_hand():
    articles(30)
    by_hand("hand", "a-00001")
    ManualReview.objects.filter(article_id="a-00002").update(status="selected")
    untouched = ("manual_reviews", "news_articles", "manual_export_batches", "manual_export_items")
    before = physical(*untouched)
    run = exported()
    assert run.printed == 29
    assert physical(*untouched) == before


def test_what_an_editor_has_corrected_is_printed_as_corrected():
    article("1", summary="As it came.", source="wire")
    ManualReview.objects.update(summary="As it is.", manual_llm_source="Evening paper")
    exported()
    item = BriefItem.objects.get()
    assert (item.final_summary, item.metadata["source"]) == ("As it is.", "Evening paper")
    assert "As it is.（Evening paper）" in BriefBatch.objects.get().content


def test_a_dry_run_writes_its_own_row_and_nothing_else():
    articles(20)
    run = services.start_export_here(options(dry_run=True, template="zongbao"), actor="test")
    others = [table for table in tables() if table != "exports_exportrun"]
    before = physical(*others)
    worker.run_export(run.pk)
    run.refresh_from_db()
    assert (run.status, run.recorded, run.brief_batch) == ("completed", 0, None)
    assert run.printed == run.funnel["exported"] > 0
    assert sha256_of(run.content) == run.sha256
    assert physical(*others) == before


def test_a_rehearsal_writes_no_row_at_all_and_prints_what_the_run_will_print():
    articles(20)
    before = everything()
    rehearsed = worker.rehearse(options(template="wanbao"))
    assert everything() == before
    done = exported(template="wanbao")
    assert rehearsed.pk is None
    assert rehearsed.content == done.content != ""
    assert {**rehearsed.funnel} == {**done.funnel}


def tables():
    return [each for each in connection.introspection.table_names() if not each.startswith("pg_")]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"template": "gone"}, "template"),
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"min_score": Decimal("NaN")}, "min_score"),
        ({"min_score": Decimal("sNaN")}, "min_score"),
        ({"min_score": Decimal("Infinity")}, "min_score"),
        ({"min_score": Decimal("1e9")}, "min_score"),
        ({"min_score": Decimal("60.0001")}, "min_score"),
        ({"skip_scope": "some"}, "skip_scope"),
        ({"tag": "x" * 300}, "report_tag"),
        ({"tag": "a\nb"}, "report_tag"),
    ],
)
def test_an_impossible_wish_is_refused_by_its_field_and_writes_nothing(wish, field):
    before = everything()
    for door in (
        lambda wish: services.request_export(wish, actor="test"),
        lambda wish: services.start_export_here(wish, actor="test"),
        worker.rehearse,
    ):
        with pytest.raises(ValidationError) as refused:
            door(options(**wish))
        assert list(refused.value.message_dict) == [field]
    assert everything() == before


@pytest.mark.parametrize(
    ("tag", "date", "expected"),
    [
        ("2026-03-05-evening", None, ("2026-03-05-evening", "2026-03-05")),
        ("2026-03-05", DAY, ("2026-03-05", "2026-03-01")),
        ("", DAY, ("2026-03-01", "2026-03-01")),
    ],
)
def test_the_date_is_the_one_given_or_the_tags_and_the_tag_defaults_to_it(tag, date, expected):
    run = services.request_export(options(tag, report_date=date), actor="test")
    assert (run.report_tag, run.report_date.isoformat()) == expected


def test_a_tag_of_another_date_is_refused_at_the_door_and_later_fails_the_run():
    articles(3)
    exported("daily", report_date=DAY, limit=1)
    with pytest.raises(Conflict) as refused:
        services.request_export(options("daily", report_date=DAY + timedelta(days=1)), actor="test")
    assert refused.value.slug == "tag-has-other-date"
    late = options("daily", report_date=DAY + timedelta(days=1)).unsaved_run()
    late.save()
    worker.run_export(late.pk)
    late.refresh_from_db()
    assert (late.status, late.error) == ("failed", "tag-has-other-date")
    assert len(in_brief("daily")) == 1


def test_a_template_that_vanished_fails_the_run_with_its_name():
    template = BriefTemplate.objects.create(slug="mine", title="Mine")
    run = services.request_export(options(template="mine"), actor="test")
    template.delete()
    worker.run_export(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error, run.error_text) == ("failed", "template-unknown", "mine")


def test_a_later_export_of_the_tag_takes_over_from_one_that_failed():
    articles(3)
    failed = options().complete().unsaved_run(status="failed", error="internal-error", finished_at=NOON)
    failed.save()
    done = exported()
    failed.refresh_from_db()
    assert failed.superseded_by == done


def test_a_second_delivery_of_the_same_message_does_nothing():
    articles(5)
    run = exported()
    before = everything()
    worker.run_export(run.pk)
    worker.run_export(run.pk)
    assert everything() == before


def test_a_cancelled_run_writes_nothing():
    articles(5)
    run = services.start_export_here(options(), actor="test")

    def cancelling(percent):
        if percent < 50:
            cancel(run, actor="test")

    worker.run_export(run.pk, on_step=cancelling)
    run.refresh_from_db()
    assert (run.status, run.content) == ("cancelled", "")
    assert not BriefBatch.objects.exists()


@pytest.mark.parametrize("meanwhile", ["another run", "by hand", "discarded", "deleted"])
def test_what_is_taken_while_a_draft_is_made_is_not_printed(meanwhile):
    """The draft was made without a lock; before it is recorded everything is looked at again."""
    articles(6)
    run = services.start_export_here(options("2026-03-09", limit=3), actor="test")
    first = draft(run).article_ids[0]
    done = []

    def between(percent):
        if percent == 80 and not done:
            done.append(percent)
            in_another_thread(take, meanwhile, first)

    worker.run_export(run.pk, on_step=between)
    run.refresh_from_db()
    assert (run.status, run.printed) == ("completed", 3)
    assert first not in in_brief("2026-03-09")
    items = BriefItem.objects.values_list("article_id", flat=True)
    assert len(set(items)) == len(items)


def take(meanwhile, article_id):
    if meanwhile == "another run":
        Article.objects.exclude(article_id=article_id).update(score=50)
        exported("2026-03-08", limit=1)
        Article.objects.update(score=80)
    elif meanwhile == "by hand":
        by_hand("hand", article_id)
    elif meanwhile == "discarded":
        ManualReview.objects.filter(article_id=article_id).update(status="discarded")
    else:
        Article.objects.filter(article_id=article_id).delete()


def in_another_thread(work, *arguments):
    def there():
        try:
            work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(there).result()


def test_a_review_that_is_being_decided_about_is_not_waited_for():
    """The worker would wait for an editor who waits for the worker; it takes what nobody holds instead."""
    articles(6)
    run = services.start_export_here(options(limit=3), actor="test")
    first = draft(run).article_ids[0]
    seen, not_waited_for = [], []

    def held():
        try:
            with transaction.atomic():
                list(ManualReview.objects.filter(article_id=first).select_for_update())
                ready.set()
                for _ in range(200):
                    if seen.count(80) > 1:
                        not_waited_for.append(first)
                        break
                    threading.Event().wait(0.02)
                ManualReview.objects.filter(article_id=first).update(status="discarded")
        finally:
            connection.close()

    ready = threading.Event()
    thread = threading.Thread(target=held)
    thread.start()
    ready.wait()
    worker.run_export(run.pk, on_step=seen.append)
    thread.join()
    assert not_waited_for
    run.refresh_from_db()
    assert (run.status, run.printed) == ("completed", 3)
    assert first not in in_brief()


def test_the_numbers_of_a_paper_are_taken_with_the_brief():
    articles(10)
    first = exported("2026-03-01", template="zongbao", limit=2)
    second = exported("2026-03-02", template="zongbao", limit=2)
    assert "第1期" in first.content
    assert "第2期" in second.content


def test_a_run_is_found_again_by_a_command_with_the_same_wish():
    waiting = services.request_export(options(), actor="test")
    assert services.start_export_here(options(), actor="test") == waiting
    assert services.start_export_here(options(limit=5), actor="test") != waiting
    assert ExportRun.objects.count() == 2
