"""An export by hand: what is selected is printed, recorded and marked, all or nothing."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from access.models import AuditEvent
from articles import article, many, selected, statuses
from exports import briefs, files, recording
from exports.briefs import BriefOptions
from exports.models import (
    BriefBatch,
    BriefItem,
    ExportRun,
    IssueCounter,
    ManualExportBatch,
    ManualExportItem,
    ManualReview,
)
from exports.printing import sha256_of, story_of_article, story_of_review, story_of_row
from observed import everything, physical
from runs.errors import Conflict

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]

DAY = date(2026, 3, 1)


def options(**values):
    return BriefOptions(**({"report_tag": "2026-03-01-x", "template": "brief"} | values))


def export(**values):
    return briefs.export_by_hand(options(**values), actor="test")


@pytest.fixture
def pool(transactional_db):
    """Three to print in the papers' own ways, one without a summary, and one nobody picked."""
    selected("in/1", rank=2, importance=Decimal(10))
    selected("in/2", rank=1, edited_summary="改过", edited_source="编辑部", edited_score=Decimal("99.5"))
    selected("out", region="external", sentiment="positive")
    selected("mute", summary=" ", edited_summary="")
    article("unpicked")


def test_an_export_is_one_run_one_batch_and_marks_what_was_printed(pool, operator):
    brief = briefs.export_by_hand(options(template="zongbao", period=7, total_period=70), actor=operator)
    assert brief.content.startswith(
        "首都教育每日舆情综报\n2026年第7期（总第70期）\n2026年3月1日\n\n【新闻信息纵览】\n■ Title in/2\n改过（编辑部）"
    )
    assert statuses() == {
        "in/1": "exported", "in/2": "exported", "out": "selected", "mute": "selected", "unpicked": "pending",
    }  # fmt: skip
    assert {(each.article_id, each.reason) for each in brief.not_printed} == {
        ("out", "bucket-not-in-template"), ("mute", "no-summary"),
    }  # fmt: skip
    batch, run = ManualExportBatch.objects.get(), ExportRun.objects.get()
    assert (brief.batch, brief.run) == (batch, run)
    assert (batch.report_tag, batch.report_date, batch.template) == ("2026-03-01-x", DAY, "zongbao")
    assert batch.content == run.content == brief.content
    assert batch.sha256 == run.sha256 == brief.sha256 == sha256_of(brief.content)
    assert batch.export_payload == run.payload
    assert run.payload["printed"] == {"jingnei_positive": ["in/2", "in/1"]}
    assert (run.payload["period"], run.payload["total_period"]) == (7, 70)
    assert list(batch.items.order_by("order_index").values_list("article_id", "order_index")) == [
        ("in/2", 1),
        ("in/1", 2),
    ]
    item = batch.items.get(article_id="in/2")
    assert (item.final_summary, item.metadata["source"], item.metadata["score"]) == (
        "改过",
        "编辑部",
        Decimal("99.500"),
    )
    assert (run.kind, run.status, run.requested_by, run.progress) == ("manual", "completed", operator, 100)
    assert run.started_at <= run.created_at
    assert run.started_at <= run.finished_at
    assert run.funnel == {
        "selected": 4, "not_printed": {"bucket-not-in-template": 1, "no-summary": 1}, "printed": 2, "duplicates": 0,
        "recorded": 2,
    }  # fmt: skip
    event = AuditEvent.objects.get(action="brief.exported")
    assert (event.actor_name, event.object_id, event.after["run"]) == ("operator", str(batch.pk), run.pk)
    counter = IssueCounter.objects.get()
    assert (counter.template, counter.period, counter.total_period) == ("zongbao", 7, 70)


@pytest.mark.parametrize("template", ["zongbao", "wanbao", "markdown", "brief"])
def test_the_preview_is_the_export_byte_for_byte_and_writes_nothing(pool, template):
    before = everything()
    preview = briefs.preview_by_hand(options(template=template))
    assert everything() == before
    brief = export(template=template, expected_sha256=preview.sha256)
    assert brief.content.encode() == preview.content.encode()
    assert (brief.category_counts, brief.not_printed) == (preview.category_counts, preview.not_printed)
    assert (preview.run, preview.batch) == (None, None)
    assert everything() != before


def test_a_changed_selection_refuses_the_export_of_the_old_preview(pool):
    preview = briefs.preview_by_hand(options())
    ManualReview.objects.filter(article_id="in/1").update(summary="changed")
    before = everything()
    with pytest.raises(Conflict) as refused:
        export(expected_sha256=preview.sha256)
    assert refused.value.slug == "preview-outdated"
    assert everything() == before


def test_a_second_export_prints_all_that_is_selected_and_records_what_is_new(pool):
    first = export(mark_exported=False)
    selected("later")
    preview = briefs.preview_by_hand(options())
    second = export()
    assert first.recorded == 3
    assert sorted(second.skipped_duplicates) == sorted(preview.skipped_duplicates) == ["in/1", "in/2", "out"]
    assert (second.recorded, len(second.printed.placed)) == (1, 4)
    assert second.content == preview.content
    assert ManualExportItem.objects.get(article_id="later").order_index == 4
    assert ManualExportBatch.objects.get().content == second.content
    assert list(ExportRun.objects.order_by("id").values_list("content", flat=True)) == [first.content, second.content]


def test_marking_can_be_left_out(pool):
    export(mark_exported=False)
    assert "exported" not in statuses().values()
    assert ExportRun.objects.get().mark_exported is False


def test_marking_counts_the_version_up_and_keeps_the_place(pool):
    export()
    review = ManualReview.objects.get(article_id="in/1")
    assert (review.status, review.version, review.rank) == ("exported", 2, 2)


def test_an_export_by_hand_changes_no_row_of_the_workers_and_the_other_way_round(pool):
    entries = [recording.Entry("in/1", "s", "x", {})]
    with transaction.atomic():
        recording.record_export("2026-03-01-x", DAY, entries, template="brief", payload={}, content="x\n")
    before = physical("brief_batches", "brief_items")
    export()
    assert physical("brief_batches", "brief_items") == before
    before = physical("manual_export_batches", "manual_export_items")
    entries.append(recording.Entry("out", "s", "x", {}))
    with transaction.atomic():
        recording.record_export("2026-03-01-x", DAY, entries, template="brief", payload={}, content="y\n")
    assert physical("manual_export_batches", "manual_export_items") == before


def test_with_the_switch_an_export_by_hand_is_found_among_the_briefs(pool, settings):
    settings.EXPORTS_MANUAL_STORE = "brief"
    brief = export()
    assert brief.run.brief_batch == BriefBatch.objects.get(source="manual") == brief.batch
    assert set(BriefItem.objects.values_list("source", flat=True)) == {"manual"}
    assert not ManualExportBatch.objects.exists()


def test_some_of_what_is_selected_can_be_exported_alone(pool):
    brief = export(article_ids=["out"])
    assert [each.story.article_id for each in brief.printed.placed] == ["out"]
    assert statuses()["in/1"] == "selected"


@pytest.mark.parametrize("wanted", [["out", "unpicked"], ["ghost"], ["a\0"], ["\ud800"], ["x" * 10_000]])
def test_what_is_not_selected_cannot_be_exported(pool, wanted):
    before = everything()
    with pytest.raises(ValidationError) as refused:
        export(article_ids=wanted)
    assert list(refused.value.error_dict) == ["article_ids"]
    assert everything() == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"template": "nothing"}, "template"),
        ({"template": "\0"}, "template"),
        ({"template": "\ud800"}, "template"),
        ({"report_tag": "x" * 10_000}, "report_tag"),
        ({"template": "zongbao", "period": 0}, "period"),
        ({"output_path": "../x.txt"}, "output_path"),
    ],
)
def test_bad_options_are_refused_and_nothing_is_written(pool, wrong, field):
    before = everything()
    for verb in (lambda: export(**wrong), lambda: briefs.preview_by_hand(options(**wrong))):
        with pytest.raises(ValidationError) as refused:
            verb()
        assert list(refused.value.error_dict) == [field]
    assert everything() == before


def test_nothing_selected_is_an_empty_preview_and_no_export():
    preview = briefs.preview_by_hand(options())
    assert (preview.content, preview.sha256, preview.selected, preview.printed.placed) == ("", "", 0, [])
    before = everything()
    with pytest.raises(ValidationError) as refused:
        export()
    assert refused.value.code == "nothing-to-export"
    assert everything() == before


def test_nothing_printable_is_no_export_either():
    selected("out", region="external", sentiment="positive")
    with pytest.raises(ValidationError) as refused:
        export(template="zongbao")
    assert refused.value.code == "nothing-to-export"
    assert not IssueCounter.objects.exists()


def test_the_file_follows_the_commit_and_is_the_stored_text(pool, settings):
    brief = export(output_path="2026/日报.txt")
    path = settings.EXPORTS_DIR / "2026" / "日报.txt"
    assert path.read_bytes() == brief.content.encode()
    assert brief.file_error == ""
    path.write_text("damaged")
    for exported in (brief.run, brief.batch):
        path.unlink()
        assert files.write_again(exported) == path.resolve()
        assert sha256_of(path.read_text(encoding="utf-8")) == brief.sha256


def test_an_export_stands_though_its_file_cannot_be_written(pool, settings):
    settings.EXPORTS_DIR.mkdir(parents=True)
    with transaction.atomic():
        brief = export(output_path="x/brief.txt")
        (settings.EXPORTS_DIR / "x").write_text("in the way")
    assert brief.file_error
    assert ExportRun.objects.get().content == brief.content
    (settings.EXPORTS_DIR / "x").unlink()
    assert files.write_again(brief.run).read_text() == brief.content


def test_an_export_taken_back_leaves_no_file(pool, settings):
    with transaction.atomic():
        export(output_path="brief.txt")
        transaction.set_rollback(True)
    assert not settings.EXPORTS_DIR.exists()
    assert not ExportRun.objects.exists()


def test_an_export_costs_the_same_queries_however_much_is_selected(django_assert_max_num_queries):
    many(3)
    export()
    many(300, prefix="b")
    with django_assert_max_num_queries(18):
        brief = export(report_tag="2026-03-01-y")
    assert brief.recorded == 300


def test_a_story_is_the_same_from_a_row_and_from_a_review(pool):
    for review in ManualReview.objects.select_related("article"):
        row = ManualReview.objects.filter(pk=review.pk).values_list(*briefs.REVIEW_FIELDS).get()
        assert story_of_row(row) == story_of_review(review)
    own = story_of_article(ManualReview.objects.get(article_id="in/2").article)
    assert (own.summary, own.source, own.score) == ("Summary in/2", "Daily", Decimal("70.000"))


def test_ids_of_every_kind_are_exported():
    ids = ["a/b", "🙂", "x" * 512, "'; DROP", "%s"]
    for each in ids:
        selected(each)
    assert export().recorded == 5
    assert set(statuses().values()) == {"exported"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM manual_export_items")
        assert cursor.fetchone() == (5,)
