"""Compose: what is shown is what is exported, in the editor's order, and nobody exports what they have not seen."""

from datetime import date

import pytest

from access.models import AuditEvent
from articles import article, many, selected, statuses
from exports import files
from exports.briefs import BriefOptions, export_by_hand
from exports.models import BriefTemplate, ExportRun, ManualExportBatch, ManualReview
from exports.reviewing import Edit, edit
from pool import listed, review

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped_templates")]

COMPOSE = "/admin/exports/compose/"
DESK = "/admin/exports/manualreview/"
JSON = {"accept": "application/json"}


def options(**values):
    return {
        "template": "zongbao", "report_tag": "2026-03-01", "report_date": "2026-03-01", "mark_exported": "on",
        "output_path": "",
    } | values  # fmt: skip


def written():
    """All that an export could have changed."""
    return (
        list(ManualReview.objects.order_by("pk").values()),
        ManualExportBatch.objects.count(),
        ExportRun.objects.count(),
        AuditEvent.objects.count(),
    )


def confirm(desk, **values):
    return desk.post(f"{COMPOSE}confirm/", options(**values))


def export(desk, seen, **values):
    brief = seen.context["brief"]
    fields = options(**values) | {"expected_sha256": brief.sha256, "seen": brief.content}
    return desk.post(f"{COMPOSE}export/", fields)


def messages_of(answer):
    return " ".join(str(message) for message in answer.context["messages"])


# --- who -----------------------------------------------------------------------------------------


def test_a_viewer_sees_the_brief_and_can_change_nothing(viewer, desk_of):
    selected("a")
    desk = desk_of(viewer)
    page = desk.get(COMPOSE)
    assert page.status_code == 200
    assert "Title a" in page.content.decode()
    assert 'name="move"' not in page.content.decode()
    before = written()
    for address in ("order/", "confirm/", "export/"):
        assert desk.post(f"{COMPOSE}{address}", options()).status_code == 403
    assert written() == before


def test_who_has_no_role_sees_nothing(stranger, desk_of):
    assert desk_of(stranger).get(COMPOSE).status_code == 403


@pytest.mark.parametrize("address", ["order/", "confirm/", "export/"])
def test_nothing_is_exported_by_following_a_link(address, operator, desk_of):
    assert desk_of(operator).get(f"{COMPOSE}{address}").status_code == 405


# --- looking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_with_nothing_selected_it_says_where_to_pick(language, operator, desk_of):
    page = desk_of(operator).get(COMPOSE, headers={"accept-language": language})
    assert page.status_code == 200
    assert f'href="{DESK}"' in page.content.decode()


def test_without_any_template_it_says_so(operator, desk_of):
    BriefTemplate.objects.all().delete()
    selected("a")
    assert "There is no brief template yet." in desk_of(operator).get(COMPOSE).content.decode()


def test_articles_stand_in_the_sections_and_order_they_will_be_printed_in(operator, desk_of):
    selected("second", rank=2)
    selected("first", rank=1)
    selected("bad", rank=3, sentiment="negative")
    selected("nowhere", region="external")
    selected("empty", summary="")
    page = desk_of(operator).get(COMPOSE).context["composition"]
    assert [(heading, [each.review.article_id for each in entries]) for heading, entries in page.sections()] == [
        ("重点关注舆情", ["bad"]), ("新闻信息纵览", ["first", "second"]),
    ]  # fmt: skip
    assert {row.article_id: reason for row, reason in page.left_out()} == {
        "nowhere": "The template prints no section for it", "empty": "It has no summary",
    }  # fmt: skip


def test_the_preview_is_the_text_of_the_export_byte_for_byte(operator, desk_of):
    many(5)
    desk = desk_of(operator)
    shown = desk.get(COMPOSE, options()).context["composition"]
    brief = export_by_hand(BriefOptions(report_tag="2026-03-01", report_date=date(2026, 3, 1)), actor=operator)
    assert shown.brief.content == brief.batch.content
    assert shown.markdown.startswith("# 首都教育每日舆情综报\n\n2026年第1期")


def test_it_costs_the_same_queries_for_three_articles_and_for_three_hundred(
    operator, desk_of, django_assert_max_num_queries
):
    desk = desk_of(operator)
    many(300)
    desk.get(COMPOSE)
    with django_assert_max_num_queries(20):
        page = desk.get(COMPOSE)
    assert len(page.context["composition"].reviews) == 300


@pytest.mark.parametrize(
    ("field", "value"),
    [("report_tag", ""), ("report_tag", "x" * 300), ("report_tag", "a\nb"), ("report_date", "yesterday"),
     ("report_date", "2026-02-31"), ("period", "0"), ("period", "x"), ("total_period", str(10**30)),
     ("output_path", "../../etc/passwd"), ("output_path", "/etc/passwd"), ("output_path", "a\0b"),
     ("output_path", "x" * 300), ("report_tag", "\0")],
)  # fmt: skip
def test_options_that_cannot_be_are_named_and_nothing_is_written(field, value, operator, desk_of):
    selected("a")
    desk = desk_of(operator)
    before = written()
    page = desk.get(COMPOSE, options(**{field: value}))
    assert page.status_code == 200
    assert page.context["composition"].form.errors
    assert "Title a" in page.content.decode()
    refused = confirm(desk, **{field: value})
    assert refused.status_code == 302
    refused = desk.post(f"{COMPOSE}export/", options(**{field: value}) | {"expected_sha256": "0" * 64})
    assert refused.status_code == 302
    assert written() == before


def test_an_unknown_template_falls_back_to_one_there_is(operator, desk_of):
    selected("a")
    page = desk_of(operator).get(COMPOSE, options(template="nope"))
    assert page.context["composition"].template.slug == "zongbao"


def test_a_tag_of_another_date_is_refused_beside_the_options(operator, desk_of):
    selected("a")
    export_by_hand(BriefOptions(report_tag="2026-03-01", mark_exported=False), actor=operator)
    desk = desk_of(operator)
    before = written()
    seen = confirm(desk)
    answer = desk.post(
        f"{COMPOSE}export/",
        options(report_date="2026-04-01") | {"expected_sha256": seen.context["brief"].sha256},
        follow=True,
    )
    assert answer.status_code in (200, 409)
    assert written() == before


# --- order ---------------------------------------------------------------------------------------


def order_of(*ids):
    return " ".join(f"{row.pk}:{row.version}" for row in map(review, ids))


def test_the_order_a_script_sends_is_the_order_that_is_printed(operator, desk_of):
    many(3)
    answer = desk_of(operator).post(f"{COMPOSE}order/", {"order": order_of("a-3", "a-1", "a-2")}, headers=JSON)
    assert answer.status_code == 200
    assert listed("selected") == ["a-3", "a-1", "a-2"]
    body = answer.json()["body"]
    assert body.index("Title a-3") < body.index("Title a-1") < body.index("Title a-2")


def test_the_buttons_move_an_article_within_its_section_without_a_script(operator, desk_of):
    for number, (name, sentiment) in enumerate((("p1", "positive"), ("n1", "negative"), ("p2", "positive")), start=1):
        selected(name, rank=number, sentiment=sentiment)
    desk = desk_of(operator)
    answer = desk.post(f"{COMPOSE}order/", {"move": f"up {order_of('p2')}", "next": "template=zongbao"})
    assert answer.status_code == 302
    assert listed("selected") == ["n1", "p2", "p1"]
    desk.post(f"{COMPOSE}order/", {"move": f"up {order_of('p2')}", "next": "template=zongbao"})
    assert listed("selected") == ["n1", "p2", "p1"]
    desk.post(f"{COMPOSE}order/", {"move": f"down {order_of('p2')}", "next": "template=zongbao"})
    assert listed("selected") == ["n1", "p1", "p2"]


@pytest.mark.parametrize("fields", [{}, {"order": "x"}, {"order": "1:1 1:1"}, {"order": "999999:1"}, {"move": "up"}])
def test_an_order_of_nothing_or_of_strangers_is_refused(fields, operator, desk_of):
    many(2)
    desk = desk_of(operator)
    before = written()
    assert desk.post(f"{COMPOSE}order/", fields, headers=JSON).status_code == 400
    assert written() == before


def test_an_order_of_rows_that_changed_since_is_refused_with_what_is_there_now(operator, desk_of):
    many(2)
    old = order_of("a-2", "a-1")
    edit({"a-1": Edit(notes="changed")}, actor="somebody")
    answer = desk_of(operator).post(f"{COMPOSE}order/", {"order": old}, headers=JSON)
    assert answer.status_code == 409
    assert "changed" in answer.json()["body"]


def test_an_article_goes_to_backup_and_one_stays_at_compose(operator, desk_of):
    selected("a")
    answer = desk_of(operator).post(
        f"{DESK}decide/", {"do": f"backup {order_of('a')}", "screen": "compose", "next": "template=wanbao"}
    )
    assert answer["Location"] == f"{COMPOSE}?template=wanbao"
    assert statuses() == {"a": "backup"}


# --- exporting -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_was_confirmed_is_exported_and_its_page_is_shown(operator, desk_of, settings):
    selected("a")
    selected("nowhere", region="external")
    desk = desk_of(operator)
    seen = confirm(desk, output_path="papers/one.txt")
    page = seen.content.decode()
    assert "1 article is printed" in page
    assert "The template prints no section for it" in page
    answer = export(desk, seen, output_path="papers/one.txt")
    batch = ManualExportBatch.objects.get()
    assert answer["Location"] == f"/admin/exports/manualexportbatch/{batch.pk}/change/"
    assert batch.content == seen.context["brief"].content
    assert files.checked_path("papers/one.txt").read_text() == batch.content
    assert statuses() == {"a": "exported", "nowhere": "selected"}
    after = desk.get(answer["Location"])
    assert "1 article was exported." in messages_of(after)


def test_what_changed_between_look_and_export_is_shown_and_nothing_is_exported(operator, desk_of):
    selected("a", summary="The first words.")
    desk = desk_of(operator)
    seen = confirm(desk)
    edit({"a": Edit(summary="The other words.")}, actor="somebody")
    before = written()
    answer = export(desk, seen)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "<b>first</b>" in page
    assert "<b>other</b>" in page
    assert [line.mark for line in answer.context["changes"] if line.mark in ("gone", "new")] == ["gone", "new"]
    assert written() == before
    assert export(desk, answer).status_code == 302
    assert ManualExportBatch.objects.get().content == answer.context["brief"].content


def test_what_the_tag_has_already_is_said_before_and_after(operator, desk_of):
    selected("a")
    export_by_hand(BriefOptions(report_tag="2026-03-01", mark_exported=False), actor=operator)
    selected("b")
    desk = desk_of(operator)
    assert "2026-03-01 has a brief already." in desk.get(COMPOSE, options()).content.decode()
    seen = confirm(desk)
    assert seen.context["duplicates"] == ["Title a"]
    after = desk.get(export(desk, seen)["Location"])
    assert "1 of them was in this brief already" in messages_of(after)


def test_an_export_of_nothing_is_refused_in_words(operator, desk_of):
    article("pending")
    desk = desk_of(operator)
    before = written()
    answer = desk.post(f"{COMPOSE}confirm/", options(), follow=True)
    assert "There is nothing to export" in messages_of(answer)
    answer = desk.post(f"{COMPOSE}export/", options() | {"expected_sha256": "0" * 64}, follow=True)
    assert "Nothing is selected." in messages_of(answer)
    assert written() == before


def test_nobody_exports_without_having_looked(operator, desk_of):
    selected("a")
    desk = desk_of(operator)
    before = written()
    desk.post(f"{COMPOSE}export/", options())
    assert written() == before


def test_a_second_press_exports_nothing_twice(operator, desk_of):
    selected("a")
    desk = desk_of(operator)
    seen = confirm(desk)
    export(desk, seen)
    before = written()
    export(desk, seen)
    assert written() == before


def test_mark_exported_can_be_left_off(operator, desk_of):
    selected("a")
    desk = desk_of(operator)
    fields = {key: value for key, value in options().items() if key != "mark_exported"}
    seen = desk.post(f"{COMPOSE}confirm/", fields)
    desk.post(f"{COMPOSE}export/", fields | {"expected_sha256": seen.context["brief"].sha256})
    assert statuses() == {"a": "selected"}
    assert ManualExportBatch.objects.count() == 1
