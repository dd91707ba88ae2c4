"""The pages of briefs: read, taken along, compared; never changed."""

import hashlib
import io
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from docx import Document

from access.services import timeline
from articles import article, many, selected
from exports import files
from exports.briefs import BriefOptions, export_by_hand
from exports.models import BriefBatch, BriefItem, BriefTemplate, ManualExportBatch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped_templates")]

BY_HAND, OF_WORKER = "/admin/exports/manualexportbatch/", "/admin/exports/briefbatch/"
HOSTILE = "<script>alert(1)</script>"


def exported(tag="2026-03-01", **values):
    return export_by_hand(BriefOptions(report_tag=tag, **values), actor="test").batch


def page_of(batch):
    return f"/admin/exports/{batch._meta.model_name}/{batch.pk}/change/"


@pytest.mark.parametrize("address", [BY_HAND, OF_WORKER])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_an_empty_shelf_says_how_the_first_brief_comes_about(address, language, viewer, desk_of):
    page = desk_of(viewer).get(address, headers={"accept-language": language})
    assert page.status_code == 200
    assert 'class="empty"' in page.content.decode()


@pytest.mark.parametrize("address", [BY_HAND, OF_WORKER])
def test_a_shelf_is_found_by_tag_date_and_source(address, viewer, desk_of):
    model = ManualExportBatch if address == BY_HAND else BriefBatch
    for number, tag in enumerate(("2026-03-01", "2026-03-01-evening"), start=1):
        model.objects.create(report_tag=tag, report_date=date(2026, 3, 1), sequence_no=number, generated_by=tag)
    desk = desk_of(viewer)
    page = desk.get(f"{address}?q=evening").content.decode()
    assert "2026-03-01-evening" in page
    assert page.count('class="field-report_tag') == 1
    assert desk.get(f"{address}?report_date__gte=2026-03-01&report_date__lt=2026-03-02").status_code == 200
    assert desk.get(f"{address}?q=%00").status_code in (200, 302)
    if model is BriefBatch:
        page = desk.get(f"{address}?source__exact=manual").content.decode()
        assert 'class="empty"' in page


def test_a_shelf_costs_the_same_queries_for_one_brief_and_for_many(viewer, desk_of):
    desk = desk_of(viewer)
    selected("a")
    exported()
    desk.get(BY_HAND)
    with CaptureQueriesContext(connection) as few:
        desk.get(BY_HAND)
    for number in range(2, 40):
        tag = f"2026-03-01-{number}"
        ManualExportBatch.objects.create(
            report_tag=tag, report_date=date(2026, 3, 1), sequence_no=number, generated_by=tag
        )
    with CaptureQueriesContext(connection) as lots:
        desk.get(BY_HAND)
    assert len(lots) == len(few)


def test_a_page_shows_text_hash_articles_and_exports(operator, desk_of):
    many(3)
    batch = exported()
    page = desk_of(operator).get(page_of(batch))
    html = page.content.decode()
    assert batch.content.replace("'", "&#x27;") in html
    assert hashlib.sha256(batch.content.encode()).hexdigest() in html
    assert [each.item.article_id for each in page.context["items"]] == ["a-3", "a-2", "a-1"]
    assert page.context["items"][0].section == "新闻信息纵览"
    assert [each["run"].content for each in page.context["runs"]] == [batch.content]
    assert "brief.exported" in html


def test_a_page_costs_the_same_queries_for_three_articles_and_for_three_hundred(viewer, desk_of):
    desk = desk_of(viewer)
    many(3)
    small = exported("2026-03-01", mark_exported=True)
    many(300, prefix="b")
    large = exported("2026-04-01")
    desk.get(page_of(small))
    with CaptureQueriesContext(connection) as few:
        desk.get(page_of(small))
    with CaptureQueriesContext(connection) as lots:
        desk.get(page_of(large))
    assert len(lots) == len(few)


def test_the_difference_to_the_brief_before_is_shown(viewer, desk_of):
    selected("a", summary="Same in both.")
    exported("2026-03-01", mark_exported=False)
    selected("b", summary="Only in the second.")
    second = exported("2026-03-02")
    page = desk_of(viewer).get(page_of(second))
    added = ["".join(text for text, _changed in line.parts) for line in page.context["diff"] if line.mark == "new"]
    assert "Only in the second.（Daily）" in added
    assert page.context["before"].report_tag == "2026-03-01"


def test_an_old_brief_without_text_or_payload_still_has_a_page(viewer, desk_of):
    old = BriefBatch.objects.create(report_tag="old", report_date=date(2020, 1, 1), sequence_no=1, generated_by="old")
    BriefItem.objects.create(batch=old, article=article("a"), order_index=1, metadata=[], section="gone")
    page = desk_of(viewer).get(page_of(old)).content.decode()
    assert "No text is stored" in page
    assert "Title a" in page


def test_what_comes_from_outside_is_escaped(viewer, desk_of):
    selected("a", title=HOSTILE, summary=HOSTILE, source=HOSTILE)
    assert HOSTILE not in desk_of(viewer).get(page_of(exported())).content.decode()


@pytest.mark.parametrize("file_format", ["txt", "md", "docx", "csv"])
def test_a_brief_is_taken_along_in_every_format(file_format, viewer, desk_of):
    selected("a", title="校历公布")
    batch = exported("2026-03-01 早报")
    answer = desk_of(viewer).get(f"{BY_HAND}{batch.pk}/brief.{file_format}")
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    if file_format == "txt":
        assert answer.content == batch.content.encode()
    elif file_format == "docx":
        assert any("校历公布" in paragraph.text for paragraph in Document(io.BytesIO(answer.content)).paragraphs)
    else:
        assert "校历公布" in answer.content.decode()


def test_other_formats_and_other_people_get_nothing(viewer, stranger, desk_of):
    selected("a")
    batch = exported()
    assert desk_of(viewer).get(f"{BY_HAND}{batch.pk}/brief.exe").status_code == 404
    assert desk_of(viewer).get(f"{BY_HAND}4711/brief.txt").status_code == 404
    assert desk_of(stranger).get(f"{BY_HAND}{batch.pk}/brief.txt").status_code == 404
    assert desk_of(stranger).get(page_of(batch)).status_code == 403


@pytest.mark.parametrize("address", [BY_HAND, OF_WORKER])
def test_briefs_are_neither_added_changed_nor_deleted_here(address, administrator, desk_of):
    administrator.is_superuser = True
    administrator.save()
    selected("a")
    batch = exported()
    desk = desk_of(administrator)
    assert desk.get(f"{address}add/").status_code == 403
    if address == BY_HAND:
        assert desk.post(f"{address}{batch.pk}/delete/", {"post": "yes"}).status_code == 403
        assert desk.post(page_of(batch), {"report_tag": "other"}).status_code == 403
        assert ManualExportBatch.objects.get().report_tag == "2026-03-01"


@pytest.mark.django_db(transaction=True)
def test_a_lost_file_is_written_again_from_the_stored_text(operator, viewer, desk_of):
    selected("a")
    batch = exported(output_path="one.txt")
    path = files.checked_path("one.txt")
    desk = desk_of(operator)
    assert "in place" in desk.get(page_of(batch)).content.decode()
    path.write_text("other")
    assert "differs" in desk.get(page_of(batch)).content.decode()
    path.unlink()
    assert "missing" in desk.get(page_of(batch)).content.decode()
    again = f"{BY_HAND}{batch.pk}/do/write_again/"
    assert desk_of(viewer).post(again).status_code == 403
    assert not path.exists()
    desk_of(operator).post(again)
    assert path.read_bytes() == batch.content.encode()
    said = timeline(batch)[0]
    assert (said.action, said.actor_name) == ("brief.file-written", "operator")
    assert said.after == {"file": "one.txt", "sha256": batch.sha256}


@pytest.mark.django_db(transaction=True)
def test_a_disk_that_refuses_is_told_and_nothing_breaks(operator, desk_of):
    selected("a")
    batch = exported(output_path="folder/one.txt")
    path = files.checked_path("folder/one.txt")
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("in the way")
    desk = desk_of(operator)
    assert desk.get(page_of(batch)).status_code == 200
    after = desk.post(f"{BY_HAND}{batch.pk}/do/write_again/", follow=True)
    assert after.status_code == 200
    assert [message.level_tag for message in after.context["messages"]] == ["error"]


def test_a_deleted_template_leaves_its_briefs_readable(viewer, desk_of):
    selected("a")
    batch = exported()
    BriefTemplate.objects.all().delete()
    page = desk_of(viewer).get(page_of(batch)).content.decode()
    assert "zongbao" in page
    assert "jingnei_positive" in page
