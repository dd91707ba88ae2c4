"""Operators see what each distillation was used for and choose among them, as far as their role goes."""

import csv
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from distillations.models import Distillation, DistillationUsage, GeneratedArticle, Topic
from distilled import damage, distilled, drift, slot, task, topics_of, usage, used

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/distillations/distillation/"
HOSTILE = "<script>alert(1)</script>"


def keywords_on(page):
    """The keywords of the list, in its order."""
    return re.findall(r'class="field-keyword"><a href="[^"]+">([^<]*)</a>', page)


def page_of(distillation):
    return f"{LIST}{distillation.pk}/change/"


def asked(desk, action, rows, *, across=False, query=""):
    """The page that asks before an action on these rows; what its form holds."""
    ticked = [str(row.pk) for row in rows]
    posted = {"action": action, "select_across": "1" if across else "0", "index": "0", "_selected_action": ticked}
    page = desk.post(f"{LIST}{query}", posted).content.decode()
    names = ("count", "fingerprint", "once", "ticked")
    hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in names}
    return page, {name: found[1] for name, found in hidden.items() if found}


def do(desk, action, form, query=""):
    return desk.post(f"{LIST}all/{action}/{query}", form, follow=True).content.decode()


# --- The list ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, viewer, desk_of):
    answer = desk_of(viewer).get(LIST, headers={"accept-language": language})
    assert answer.status_code == 200
    assert 'class="empty"' in answer.content.decode()


def test_least_used_come_first_then_the_oldest(viewer, desk_of):
    one, two, three = distilled(3)
    used(one, times=2)
    used(two)
    assert keywords_on(desk_of(viewer).get(LIST).content.decode()) == [three.keyword, two.keyword, one.keyword]


def test_three_are_recommended_of_the_whole_table_whatever_the_filter(viewer, desk_of):
    rows = distilled(5)
    Topic.objects.filter(distillation=rows[0]).delete()
    used(rows[1])
    desk = desk_of(viewer)
    page = desk.get(LIST).content.decode()
    assert page.count("badge-star") == 3
    assert page.count(">Least used (0 times)<") == 3  # to be read without hovering, too
    assert page.count('title="Least used (0 times)"') == 3
    assert desk.get(f"{LIST}?used=few").content.decode().count("badge-star") == 0
    assert keywords_on(desk.get(f"{LIST}?recommended=yes").content.decode()) == [each.keyword for each in rows[2:]]


def test_the_bar_is_relative_to_the_most_used_of_the_table(viewer, desk_of):
    one, two = distilled(2)
    used(one)
    used(two, times=4)
    page = desk_of(viewer).get(f"{LIST}?used=few").content.decode()
    assert '<progress max="4" value="1">' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("used=never", [0, 1]),
        ("used=few", [2]),
        ("used=many", [3]),
        ("topics=some", [0, 2, 3]),
        ("topics=none", [1]),
        ("provider__exact=rules", [4]),
        ("used=never&topics=some", [0]),
        ("used=nonsense", [0, 1, 2, 3]),
        ("q=EYW", [0, 1, 2, 3]),
        ("q=WORD+3", [2]),
        ("q=qqqqq", []),
    ],
)
def test_filters_and_search_find_what_they_say(query, found, viewer, desk_of):
    rows = distilled(4)
    Topic.objects.filter(distillation=rows[1]).delete()
    used(rows[2], times=3)
    used(rows[3], times=4)
    other = distilled(1, provider="rules", keyword="rule") if 4 in found else []
    page = desk_of(viewer).get(f"{LIST}?{query}").content.decode()
    assert keywords_on(page) == [(rows + other)[at].keyword for at in found]


def test_a_short_word_says_that_only_beginnings_were_searched(viewer, desk_of):
    distilled(1, keyword="报价单")
    desk = desk_of(viewer)
    assert "is short" in desk.get(f"{LIST}?q=报价").content.decode()
    assert keywords_on(desk.get(f"{LIST}?q=报价").content.decode()) == ["报价单 1"]
    assert keywords_on(desk.get(f"{LIST}?q=价单").content.decode()) == []


def test_a_counter_that_differs_from_its_rows_is_marked_and_found(viewer, desk_of):
    one, other = distilled(2)
    used(one, topic=topics_of(one)[0])
    desk = desk_of(viewer)
    assert "drifted</span>" not in desk.get(LIST).content.decode()
    assert keywords_on(desk.get(f"{LIST}?drifted=yes").content.decode()) == []
    damage(f"UPDATE distillations SET usage_count = 7 WHERE id = {one.pk}")
    page = desk.get(LIST).content.decode()
    assert page.count("drifted</span>") == 1
    assert "used: says 7, rows 1" in page
    assert keywords_on(desk.get(f"{LIST}?drifted=yes").content.decode()) == [one.keyword]
    assert "used: says 7, rows 1" in desk.get(page_of(one)).content.decode()
    assert "drifted</span>" not in desk.get(page_of(other)).content.decode()


def test_drift_of_a_topic_is_told_with_its_distillation(viewer, desk_of):
    one, _other = distilled(2)
    damage(f"UPDATE topics SET usage_count = 2 WHERE id = {topics_of(one)[0].pk}")
    assert "uses of a topic: says 2, rows 0" in desk_of(viewer).get(LIST).content.decode()


def test_a_list_costs_the_same_queries_for_three_rows_and_for_300(viewer, desk_of):
    desk = desk_of(viewer)
    desk.get(LIST)

    def cost(query):
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(f"{LIST}{query}").status_code == 200
        return len(captured)

    distilled(3)
    queries = ("?used=never", "?provider__exact=manual", "?q=keyword", "?drifted=yes", "?all=")
    few = {query: cost(query) for query in queries}
    more = distilled(297)
    used(more[0], times=20)
    slot(task(), more[1])
    assert {query: cost(query) for query in queries} == few


def test_the_filter_is_taken_along_as_csv_with_no_formula(operator, viewer, desk_of):
    rows = distilled(2)
    Distillation.objects.filter(pk=rows[0].pk).update(keyword="=1+1")
    used(rows[1])
    answer = desk_of(operator).get(f"{LIST}download.csv?used=never")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    heading, row, _whole = csv.reader(io.StringIO(text))
    assert heading[:2] == ["ID", "Keyword"]
    assert row[1] == "'=1+1"
    assert desk_of(operator).get(f"{LIST}download.xlsx").status_code == 200
    assert desk_of(viewer).get(f"{LIST}download.csv").status_code == 403


def test_what_keywords_and_questions_say_is_escaped(administrator, desk_of):
    (one,) = distilled(1, keyword=HOSTILE)
    Topic.objects.filter(distillation=one).update(question=HOSTILE)
    used(one, topic=topics_of(one)[0])
    GeneratedArticle.objects.update(title=HOSTILE)
    damage(f"UPDATE distillations SET usage_count = 7 WHERE id = {one.pk}")
    desk = desk_of(administrator)
    pages = [desk.get(each) for each in (LIST, page_of(one), f"{LIST}{one.pk}/usage/", f"{LIST}repair/")]
    pages.append(desk.post(f"{LIST}{one.pk}/topics/delete/", {"topic": [str(topics_of(one)[0].pk)]}))
    pages.append(desk.get(f"{LIST}{one.pk}/delete/"))
    for answer in pages:
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()
        main = answer.content.decode().partition("<main")[2].partition("</main")[0]
        assert "style=" not in main
        assert "onclick" not in main


# --- One of them ---------------------------------------------------------------------------------


def test_a_viewer_looks_and_changes_nothing(viewer, desk_of):
    (one,) = distilled(1)
    desk = desk_of(viewer)
    page = desk.get(page_of(one)).content.decode()
    assert "keyword 1: question 2?" in page
    assert 'name="topic"' not in page
    assert 'name="keyword"' not in page
    assert desk.post(page_of(one), {"keyword": "new"}).status_code == 403
    assert desk.post(f"{LIST}{one.pk}/topics/delete/", {"topic": ["1"], "confirmed": "1"}).status_code == 403
    assert desk.get(f"{LIST}add/").status_code == 403
    assert desk.post(f"{LIST}all/delete_selected/", {}).status_code == 403
    assert desk.get(f"{LIST}{one.pk}/delete/").status_code == 403


def test_a_stranger_sees_nothing(stranger, desk_of):
    (one,) = distilled(1)
    desk = desk_of(stranger)
    for address in ("", f"{one.pk}/change/", f"{one.pk}/usage/", "distribution/", "repair/", "reset-all/"):
        assert desk.get(f"{LIST}{address}").status_code in (403, 404), address


def test_a_keyword_is_renamed_on_record_and_no_counter_with_it(operator, desk_of):
    (one,) = distilled(1)
    used(one)
    answer = desk_of(operator).post(page_of(one), {"keyword": " new ", "usage_count": "99"})
    assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.keyword, one.usage_count) == ("new", 1)
    event = AuditEvent.objects.get(action="distillation.renamed")
    assert (event.before, event.after, event.actor_name) == ({"keyword": "keyword 1"}, {"keyword": "new"}, "operator")


@pytest.mark.parametrize("wrong", ["", "   ", "x" * 256, "a\x00b"])
def test_a_keyword_that_cannot_be_is_refused_beside_its_field(wrong, operator, desk_of):
    (one,) = distilled(1)
    answer = desk_of(operator).post(page_of(one), {"keyword": wrong})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert Distillation.objects.get().keyword == "keyword 1"


def test_one_by_hand_has_each_line_as_a_topic_once(operator, desk_of):
    typed = {"keyword": "茶", "questions": "哪种茶好？\r\n\r\n  哪种茶好？\r\n怎么泡？"}
    answer = desk_of(operator).post(f"{LIST}add/", typed)
    one = Distillation.objects.get()
    assert answer.status_code == 302
    assert (one.keyword, one.provider, one.topic_count) == ("茶", "manual", 2)
    assert [topic.question for topic in topics_of(one)] == ["哪种茶好？", "怎么泡？"]
    assert AuditEvent.objects.get(action="distillation.created").actor_name == "operator"


@pytest.mark.parametrize("wrong", [{"questions": " \n "}, {"questions": "x" * 1001}, {"keyword": ""}])
def test_one_by_hand_is_refused_beside_the_field(wrong, operator, desk_of):
    answer = desk_of(operator).post(f"{LIST}add/", {"keyword": "tea", "questions": "which?"} | wrong)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Distillation.objects.exists()


def test_ticked_topics_are_deleted_after_a_page_that_names_them(operator, desk_of):
    one, other = distilled(2, topics=3)
    first, second, _third = topics_of(one)
    used(one, topic=first)
    desk = desk_of(operator)
    ticked = {"topic": [str(first.pk), str(second.pk), str(topics_of(other)[0].pk), "x", "9" * 30]}
    page = desk.post(f"{LIST}{one.pk}/topics/delete/", ticked).content.decode()
    assert first.question in page
    assert topics_of(other)[0].question not in page
    assert Topic.objects.count() == 6
    answer = desk.post(f"{LIST}{one.pk}/topics/delete/", ticked | {"confirmed": "1"}, follow=True)
    assert "2 topics were deleted." in answer.content.decode()
    assert Topic.objects.count() == 4
    assert DistillationUsage.objects.count() == 1
    assert drift() == []


def test_all_topics_may_go_and_the_page_says_what_that_means(operator, desk_of):
    (one,) = distilled(1)
    desk = desk_of(operator)
    every = {"topic": [str(topic.pk) for topic in topics_of(one)]}
    assert "These are all its topics" in desk.post(f"{LIST}{one.pk}/topics/delete/", every).content.decode()
    nothing = desk.post(f"{LIST}{one.pk}/topics/delete/", {}, follow=True).content.decode()
    assert "No topic is ticked." in nothing


def test_deleting_one_tells_numbers_and_leaves_articles(operator, desk_of):
    one, other = distilled(2)
    used(one, times=3)
    desk = desk_of(operator)
    page = desk.get(f"{LIST}{one.pk}/delete/").content.decode()
    assert "uses of distillations: 3" in page.lower()
    assert desk.post(f"{LIST}{one.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Distillation.objects.all()) == [other]
    assert GeneratedArticle.objects.filter(distillation=None, keyword=one.keyword).count() == 3
    assert AuditEvent.objects.filter(action="distillation.deleted").count() == 1


def test_what_happened_to_one_stands_at_the_foot_of_its_page(administrator, desk_of):
    (one,) = distilled(1)
    used(one, times=2)
    desk = desk_of(administrator)
    desk.post(f"{LIST}{one.pk}/do/reset_one/", {"confirmed": "1"})
    page = desk.get(page_of(one)).content.decode()
    assert "usage.reset" in page.partition('id="timeline"')[2]


# --- Many of them --------------------------------------------------------------------------------


def test_use_is_reset_by_filter_after_the_number_of_records_was_told(administrator, desk_of):
    rows = distilled(5)
    for each in rows[:3]:
        used(each, times=4, topic=topics_of(each)[0])
    used(rows[3])
    desk = desk_of(administrator)
    page, form = asked(desk, "reset_selected", rows, across=True, query="?used=many")
    assert "12 records of use will be deleted." in page
    assert form["count"] == "3"
    answer = do(desk, "reset_selected", form, "?used=many")
    assert "12 uses were forgotten." in answer
    assert "Reset use: 3 rows." in answer
    assert usage(*rows) == [0, 0, 0, 1, 0]
    assert drift() == []
    assert GeneratedArticle.objects.count() == 13
    assert all(Distillation.objects.get(pk=each.pk).usage_reset_at for each in rows[:3])
    assert AuditEvent.objects.get(action="usage.reset").before["usageCount"] == 12


def test_a_use_recorded_after_the_question_does_not_slip_through_the_filter(administrator, desk_of):
    one, other = distilled(2)
    used(one)
    desk = desk_of(administrator)
    _page, form = asked(desk, "reset_selected", [], across=True, query="?used=few")
    used(other)
    assert "have changed since you looked" in do(desk, "reset_selected", form, "?used=few")
    assert usage(one, other) == [1, 1]


def test_an_operator_may_delete_many_but_reset_none(operator, desk_of):
    rows = distilled(3)
    used(rows[0], times=2)
    desk = desk_of(operator)
    page = desk.get(LIST).content.decode()
    assert 'value="delete_selected"' in page
    assert 'value="reset_selected"' not in page
    assert "repair/" not in page
    assert desk.post(f"{LIST}all/reset_selected/", {}).status_code == 403
    assert desk.post(f"{LIST}{rows[0].pk}/do/reset_one/", {"confirmed": "1"}).status_code == 403
    page, form = asked(desk, "delete_selected", rows[:2])
    assert "4 topics and 2 records of use go with them" in page
    assert "Delete: 2 rows." in do(desk, "delete_selected", form)
    assert list(Distillation.objects.all()) == rows[2:]
    assert AuditEvent.objects.filter(action="distillation.deleted").count() == 1


def test_a_task_is_begun_from_one_that_has_topics(operator, desk_of):
    rows = distilled(2)
    Topic.objects.filter(distillation=rows[1]).delete()
    desk = desk_of(operator)

    def begun(chosen):
        posted = {"action": "create_task", "index": "0", "_selected_action": [str(each.pk) for each in chosen]}
        return desk.post(LIST, posted)

    form = f"/admin/distillations/generationtask/add/?distillation={rows[0].pk}"
    assert begun(rows[:1])["Location"] == form
    assert form in desk.get(page_of(rows[0])).content.decode()
    assert "Choose one distillation" in desk.get(begun(rows)["Location"]).content.decode()
    assert "has no topics" in desk.get(begun(rows[1:])["Location"]).content.decode()
    assert "generationtask/add/?distillation" not in desk.get(page_of(rows[1])).content.decode()


def test_a_viewer_begins_no_task(viewer, desk_of):
    distilled(1)
    assert 'value="create_task"' not in desk_of(viewer).get(LIST).content.decode()
