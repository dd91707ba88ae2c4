"""The review desk: who may look and act, what each press does, and that nothing typed is ever lost."""

import json
import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from articles import article, many, statuses
from exports import listing
from exports.briefs import BriefOptions, export_by_hand
from exports.models import ManualReview
from exports.reviewing import Edit, decide, edit
from pool import listed, review

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped_templates")]

DESK = "/admin/exports/manualreview/"
JSON = {"accept": "application/json"}
HOSTILE = "<script>alert(1)</script>"


def wish(to, *article_ids):
    rows = [review(each) for each in article_ids]
    return {"do": " ".join([to, *(f"{row.pk}:{row.version}" for row in rows)])}


def everything():
    """All that a decision could have changed."""
    return list(ManualReview.objects.order_by("pk").values()), AuditEvent.objects.count()


def press(desk, to, *article_ids):
    return desk.post(f"{DESK}decide/", wish(to, *article_ids), headers=JSON)


def shown(page):
    return [row.review.article_id for row in page.context["rows"]]


# --- who -----------------------------------------------------------------------------------------


def test_a_viewer_looks_at_everything_and_decides_nothing(viewer, desk_of):
    row = article("a")
    desk = desk_of(viewer)
    page = desk.get(f"{DESK}?article={row.review.pk}")
    assert page.status_code == 200
    assert 'name="do"' not in page.content.decode()
    assert 'name="summary"' not in page.content.decode()
    assert desk.get(f"{DESK}{row.review.pk}/panel/").status_code == 200
    assert desk.get(f"{DESK}counts/").status_code == 200
    before = everything()
    for address in ("decide/", "undo/", f"{row.review.pk}/edit/", "all/discard_all/"):
        assert desk.post(f"{DESK}{address}", wish("selected", "a")).status_code == 403
    assert desk.post(DESK, {"action": "discard_all"}).status_code == 403
    assert everything() == before


def test_who_has_no_role_sees_no_desk(stranger, desk_of):
    row = article("a")
    desk = desk_of(stranger)
    for address in ("", "counts/", f"{row.review.pk}/panel/"):
        assert desk.get(f"{DESK}{address}").status_code == 403


@pytest.mark.parametrize("address", ["decide/", "undo/", "1/edit/"])
def test_nothing_is_decided_by_following_a_link(address, operator, desk_of):
    assert desk_of(operator).get(f"{DESK}{address}").status_code == 405


def test_the_desk_stands_first_in_the_menu_with_compose(operator, desk_of):
    listed_apps = desk_of(operator).get("/admin/").context["app_list"]
    briefs = next(app for app in listed_apps if app["app_label"] == "exports")
    assert [str(model["name"]) for model in briefs["models"]][:2] == ["Review desk", "Compose"]


# --- looking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("tab", ["pending", "selected", "backup", "discarded", "exported"])
def test_an_empty_list_says_what_to_do(tab, language, viewer, desk_of):
    page = desk_of(viewer).get(f"{DESK}?tab={tab}", headers={"accept-language": language})
    assert page.status_code == 200
    assert 'class="empty"' in page.content.decode()


def test_a_list_costs_the_same_queries_for_three_rows_and_for_three_hundred(operator, desk_of):
    desk = desk_of(operator)
    many(3, status="pending")
    desk.get(DESK)
    address = f"{DESK}?q=title&min=50"
    with CaptureQueriesContext(connection) as few:
        desk.get(address)
    many(300, prefix="b", status="pending")
    with CaptureQueriesContext(connection) as lots:
        page = desk.get(address)
    assert len(shown(page)) == 30
    assert len(lots) == len(few)


def test_what_comes_from_outside_is_escaped(operator, desk_of):
    row = article("<b>", title=HOSTILE, summary=HOSTILE, source=HOSTILE, url="javascript:alert(1)", content=HOSTILE)
    ManualReview.objects.update(notes=HOSTILE)
    page = desk_of(operator).get(f"{DESK}?article={row.review.pk}").content.decode()
    assert HOSTILE not in page
    assert "javascript:alert" not in page


def test_a_page_carries_its_filter_to_tabs_and_pages(viewer, desk_of):
    many(70, status="pending")
    page = desk_of(viewer).get(f"{DESK}?region=internal&q=Title")
    assert page.context["older"].startswith("?")
    follow = desk_of(viewer).get(f"{DESK}{page.context['older']}")
    assert not set(shown(page)) & set(shown(follow))
    assert "region=internal" in page.context["older"]
    assert all("region=internal" in tab.url for tab in page.context["tabs"])
    assert shown(desk_of(viewer).get(f"{DESK}{follow.context['newer']}")) == shown(page)


@pytest.mark.parametrize(
    "query",
    ["tab=nothing", "region=moon", "min=x", "min=NaN", "since=2026-02-31", "until=99999-01-01", "q=%00", "after=x",
     "before=%E2%82%AC", "article=x", "article=99999999999999999999", "article=123456789", "template=nope",
     "until=9999-12-31", "after=W251bGwsbnVsbCxudWxsLCIA4oKsIl0", f"q={'x' * 5000}"],
)  # fmt: skip
def test_an_address_somebody_made_up_shows_a_list_all_the_same(query, viewer, desk_of):
    article("a")
    assert desk_of(viewer).get(f"{DESK}?{query}").status_code == 200


def test_a_short_word_says_why_it_finds_nothing_in_a_long_list(viewer, desk_of, monkeypatch):
    article("a", title="高考改革")
    assert shown(desk_of(viewer).get(f"{DESK}?q=高考")) == ["a"]
    monkeypatch.setattr(listing, "COUNTED_AT_MOST", 0)
    page = desk_of(viewer).get(f"{DESK}?q=高考")
    assert shown(page) == []
    assert "is too short for a list this long" in page.content.decode()


def test_a_row_warns_of_the_brief_it_was_in(operator, desk_of):
    article("a", status="selected")
    batch = export_by_hand(
        BriefOptions(report_tag="2026-03-01", template="zongbao", mark_exported=False), actor=operator
    ).batch
    page = desk_of(operator).get(f"{DESK}?tab=selected").content.decode()
    assert "already in 2026-03-01" in page
    assert f"/admin/exports/manualexportbatch/{batch.pk}/change/" in page


def test_stories_that_are_nearly_the_same_stand_together(viewer, desk_of):
    text = "市教委今天公布了二〇二六年秋季学期的校历安排，新学期将于九月一日正式开学上课。" * 2
    article("best", title="市教委公布秋季校历", summary=text, score=90)
    article(
        "between",
        title="图书馆周末向家庭开放",
        summary="十二所学校的图书馆周末向家庭开放，借书证可在门口办理。",
        score=85,
    )
    article("copy", title="市教委公布秋季校历", summary=text + "完", score=80)
    page = desk_of(viewer).get(DESK)
    assert shown(page) == ["best", "copy", "between"]
    assert "like “市教委公布秋季校历”" in page.content.decode()


# --- deciding ------------------------------------------------------------------------------------


def test_a_press_decides_and_answers_with_the_row_and_the_counts(operator, desk_of):
    article("a/b/😀")
    answer = press(desk_of(operator), "selected", "a/b/😀")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["counts"]["selected"], body["counts"]["pending"], body["undo"]) == ("1", "0", 1)
    assert body["rows"][0]["status"] == "selected"
    assert statuses() == {"a/b/😀": "selected"}
    assert review("a/b/😀").decided_by == "operator"


def test_without_a_script_a_press_comes_back_to_the_same_page_of_the_list(operator, desk_of):
    article("a")
    came_from = "tab=pending&region=internal&after=x"
    answer = desk_of(operator).post(f"{DESK}decide/", wish("backup", "a") | {"next": came_from + "&evil=//x"})
    assert answer.status_code == 302
    assert answer["Location"] == f"{DESK}?{came_from}"
    assert statuses() == {"a": "backup"}


def test_picks_outlive_a_logout(operator, desk_of, client):
    article("a")
    press(desk_of(operator), "selected", "a")
    client.logout()
    assert shown(desk_of(operator).get(f"{DESK}?tab=selected")) == ["a"]


@pytest.mark.parametrize(
    "text",
    ["", "selected", "exported 1:1", "selected 1", "selected x:1", "selected 1:x", "selected 1:1 1:1", "nothing 1:1",
     "selected 99999999999999999999:1", "selected 1:99999999999999999999", "selected " + "1:1 " * 300,
     "selected 0:1", "selected ²:1"],
)  # fmt: skip
def test_a_wish_nobody_could_have_made_is_refused_and_nothing_is_written(text, operator, desk_of):
    article("a")
    desk = desk_of(operator)
    before = everything()
    assert desk.post(f"{DESK}decide/", {"do": text}, headers=JSON).status_code == 400
    assert desk.post(f"{DESK}decide/", {"do": text}).status_code == 302
    assert everything() == before


def test_an_old_version_is_refused_with_the_row_as_it_is_now(operator, desk_of):
    article("a")
    old = wish("selected", "a")
    decide(discarded=["a"], actor="somebody")
    answer = desk_of(operator).post(f"{DESK}decide/", old, headers=JSON)
    assert answer.status_code == 409
    assert answer.json()["rows"][0]["status"] == "discarded"
    assert statuses() == {"a": "discarded"}


def test_an_exported_article_is_only_restored(operator, desk_of):
    article("a", status="exported", rank=1)
    desk = desk_of(operator)
    assert press(desk, "selected", "a").status_code == 409
    assert press(desk, "restore", "a").status_code == 200
    assert statuses() == {"a": "pending"}
    assert press(desk, "restore", "a").status_code == 409


# --- undo ----------------------------------------------------------------------------------------


def test_undo_takes_back_the_last_decisions_one_by_one_with_their_places(operator, desk_of):
    for number, name in enumerate("abc", start=1):
        article(name, status="selected", rank=number)
    desk = desk_of(operator)
    press(desk, "discarded", "a")
    press(desk, "backup", "b")
    assert desk.post(f"{DESK}undo/", headers=JSON).json()["undo"] == 1
    assert desk.post(f"{DESK}undo/", headers=JSON).json()["undo"] == 0
    assert listed("selected") == ["a", "b", "c"]
    assert desk.post(f"{DESK}undo/", headers=JSON).status_code == 409


def test_undo_does_not_undo_what_somebody_else_decided_since(operator, desk_of):
    article("a")
    desk = desk_of(operator)
    press(desk, "selected", "a")
    decide(discarded=["a"], actor="somebody")
    assert desk.post(f"{DESK}undo/", headers=JSON).status_code == 409
    assert statuses() == {"a": "discarded"}
    assert desk.post(f"{DESK}undo/").status_code == 302


def test_operators_undo_only_their_own(operator, administrator, desk_of):
    article("a")
    press(desk_of(operator), "selected", "a")
    assert desk_of(administrator).post(f"{DESK}undo/", headers=JSON).status_code == 409


# --- editing -------------------------------------------------------------------------------------


def typed(article_id, **fields):
    row = review(article_id)
    said = {"summary": row.article.summary, "llm_source": row.article.source, "score": "70", "notes": "", "version": 1}
    return {**said, "version": row.version, **fields}


def test_an_edit_is_printed_at_once_and_what_equals_the_article_is_given_back_to_it(operator, desk_of):
    row = article("a").review
    desk = desk_of(operator)
    answer = desk.post(f"{DESK}{row.pk}/edit/", typed("a", summary="Short.\r\nShorter."), headers=JSON)
    assert answer.status_code == 200
    assert "Short.\nShorter." in answer.json()["panel"]
    now = review("a")
    assert (now.summary, now.manual_llm_source, now.score) == ("Short.\nShorter.", None, None)
    desk.post(f"{DESK}{row.pk}/edit/", typed("a"), headers=JSON)
    assert review("a").summary is None


def test_the_second_of_two_editors_sees_both_texts_and_loses_neither(operator, desk_of):
    row = article("a").review
    mine = typed("a", summary="Mine is better.")
    edit({"a": Edit(summary="Theirs came first.")}, actor="somebody")
    desk = desk_of(operator)
    answer = desk.post(f"{DESK}{row.pk}/edit/", mine, headers=JSON)
    assert answer.status_code == 409
    panel = answer.json()["panel"]
    assert "Theirs came first." in panel
    assert "Mine is better." in panel
    assert review("a").summary == "Theirs came first."
    plain = desk.post(f"{DESK}{row.pk}/edit/", mine)
    assert plain.status_code == 409
    assert "Mine is better." in plain.content.decode()
    version = review("a").version
    assert f'name="version" value="{version}"' in panel
    assert desk.post(f"{DESK}{row.pk}/edit/", mine | {"version": version}, headers=JSON).status_code == 200
    assert review("a").summary == "Mine is better."


@pytest.mark.parametrize(
    "fields",
    [{"score": "lots"}, {"score": "1e9"}, {"score": "NaN"}, {"version": "x"}, {"version": ""}, {"summary": "\0"},
     {"llm_source": "x" * 501}, {"version": "99999999999999"}],
)  # fmt: skip
def test_an_edit_that_cannot_be_is_refused_beside_its_field_and_keeps_the_rest(fields, operator, desk_of):
    row = article("a").review
    answer = desk_of(operator).post(
        f"{DESK}{row.pk}/edit/", typed("a", **({"notes": "kept in the form"} | fields)), headers=JSON
    )
    assert answer.status_code == 400
    assert "kept in the form" in answer.json()["panel"]
    assert review("a").version == 1


def test_the_panel_of_an_article_that_is_gone_is_not_found(operator, desk_of):
    desk = desk_of(operator)
    assert desk.get(f"{DESK}4711/panel/").status_code == 404
    assert desk.get(f"{DESK}{10**25}/panel/").status_code == 404
    assert desk.post(f"{DESK}4711/edit/", {}).status_code == 404


def test_the_panel_prints_the_entry_as_the_brief_will(operator, desk_of):
    row = article("a", title="校历公布", summary="九月一日开学。", source="日报", sentiment="negative").review
    desk = desk_of(operator)
    assert "★ 校历公布\n九月一日开学。（日报）" in desk.get(f"{DESK}{row.pk}/panel/?template=zongbao").content.decode()
    assert "prints no section" in desk.get(f"{DESK}{row.pk}/panel/?template=wanbao").content.decode()
    assert "prints no section" in desk.get(f"{DESK}{row.pk}/panel/").content.decode()  # the one looked at last


# --- everything a list shows ---------------------------------------------------------------------


def ask(desk, name, query=""):
    """As the form of the list asks."""
    html = desk.get(f"{DESK}{query}").content.decode()
    form = re.search(r'<form method="post" action="([^"]*)">.{0,200}<button name="action"', html, re.DOTALL)
    page = desk.post(f"{DESK}{unescape(form[1])}", {"action": name})
    form = page.context
    fields = {"count": form["seen"].count, "fingerprint": form["seen"].fingerprint, "once": form["once"]}
    return form["address"], {name: str(value) for name, value in fields.items()}


@pytest.mark.django_db(transaction=True)
def test_everything_a_filter_shows_is_decided_by_one_confirmed_deed(operator, desk_of):
    many(40, status="pending")
    many(3, prefix="out", status="pending", bucket=("external", "positive"))
    desk = desk_of(operator)
    address, fields = ask(desk, "pick_all", "?region=internal")
    assert fields["count"] == "40"
    desk.post(address, fields)
    assert ManualReview.objects.selected().count() == 40
    assert AuditEvent.objects.filter(action="manualreview.pick_all").count() == 1
    desk.post(address, fields)  # the same form again
    assert AuditEvent.objects.filter(action="manualreview.pick_all").count() == 1


@pytest.mark.django_db(transaction=True)
def test_everything_means_everything_of_the_list_one_looks_at(operator, desk_of):
    many(3, status="pending")
    many(2, prefix="b", status="discarded")
    desk = desk_of(operator)
    asked = desk.post(f"{DESK}?tab=discarded", {"action": "unpick_all"}).content.decode()
    assert "Title b-2" in asked
    assert "Title a-1" not in asked
    address, fields = ask(desk, "unpick_all", "?tab=discarded")
    assert fields["count"] == "2"
    desk.post(address, fields)
    assert statuses() == dict.fromkeys([*(f"a-{n}" for n in (1, 2, 3)), "b-1", "b-2"], "pending")


@pytest.mark.django_db(transaction=True)
def test_a_list_that_changed_since_the_question_is_left_alone(operator, desk_of):
    many(4, status="pending")
    desk = desk_of(operator)
    address, fields = ask(desk, "discard_all")
    decide(selected=["a-1"], actor="somebody")
    article("new-one")
    desk.post(address, fields)
    assert not ManualReview.objects.with_status("discarded").exists()


def test_a_deed_that_does_not_exist_is_refused(operator, desk_of):
    assert desk_of(operator).post(DESK, {"action": "delete_selected"}).status_code == 403


def test_counts_are_told_to_a_page_that_stands_open(viewer, desk_of):
    many(2, status="backup")
    answer = desk_of(viewer).get(f"{DESK}counts/")
    assert json.loads(answer.content)["counts"]["backup"] == "2"


def test_an_article_s_page_lists_its_briefs_and_who_decided(operator: User, desk_of):
    article("a")
    desk = desk_of(operator)
    press(desk, "selected", "a")
    page = desk.get(f"{DESK}{review('a').pk}/change/").content.decode()
    assert "Briefs it was in" in page
    assert "reviews.decided" in page
