"""Operators ask for articles: what the form says, what it shows beforehand, and that it makes one task."""

import html
import re

import pytest
from django.test import Client

from access.models import AuditEvent
from distillations import services
from distillations.models import ArticleSetting, ConversionTarget, Distillation, GenerationTask, KnowledgeBase, Topic
from distillations.selection import preview
from distilled import at_once, distilled, task, used

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/distillations/generationtask/add/"
DRAFT = f"{ADD}draft/"
ZH = {"accept-language": "zh-hans"}


def page(desk, address=ADD, **kwargs):
    answer = desk.get(address, **kwargs)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def sent(desk, **said):
    wish = {"requested_count": "2", "mode": "auto", "once": "once-1", "_create": "1"}
    return desk.post(ADD, wish | said)


def taken(of):
    return list(of.slots.order_by("position").values_list("distillation_id", "topic_id"))


def seen(text):
    """Keyword and topic of each row of the preview, in order."""
    return re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', text)


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("operator", 200), ("administrator", 200)])
def test_only_who_may_run_generation_sees_the_form(who, status, request, desk_of):
    desk = desk_of(request.getfixturevalue(who))
    assert desk.get(ADD).status_code == status
    assert desk.get(DRAFT).status_code == status
    listed = desk.get("/admin/distillations/generationtask/").content.decode()
    assert (f'href="{ADD}"' in listed) == (status == 200)


def test_a_viewer_cannot_send_it_and_a_stranger_sees_nothing(viewer, stranger, desk_of):
    distilled(3)
    for user in (viewer, stranger):
        assert sent(desk_of(user)).status_code == 403
    assert not GenerationTask.objects.exists()


def test_the_form_tells_how_many_are_available_in_both_languages(operator, desk_of):
    distilled(3)
    distilled(1, topics=0, keyword="bare")
    assert "available: 3" in page(desk_of(operator))
    assert "可用 3 个" in page(desk_of(operator), headers=ZH)


def test_the_dropdown_lists_by_least_use_marks_the_recommended_and_disables_what_has_no_topic(operator, desk_of):
    first, second, third, fourth = distilled(4)
    used(first, times=2)
    [bare] = distilled(1, topics=0, keyword="bare")
    text = page(desk_of(operator))
    dropdown = text.partition('id="id_distillation"')[2].partition("</select>")[0]
    options = re.findall(r'<option value="(\d+)"( selected)?( disabled)?>(.*?)</option>', dropdown)
    assert [int(pk) for pk, *_ in options] == [second.pk, third.pk, fourth.pk, bare.pk, first.pk]
    assert [bool(disabled) for _, _, disabled, _ in options] == [False, False, False, True, False]
    assert ["★" in label for *_, label in options] == [True, True, True, False, False]
    assert "no topic, so nothing can be written from it" in options[3][3]
    assert "used 2 times" in options[4][3]
    assert "★ 推荐" in page(desk_of(operator), headers=ZH)


def test_among_thousands_the_least_used_are_listed_and_any_other_is_found(operator, desk_of, monkeypatch):
    monkeypatch.setattr("distillations.admin.task_form.LISTED", 5)
    everyone = distilled(30)
    distilled(20, topics=0, keyword="bare")
    text = page(desk_of(operator), DRAFT)
    assert text.count("<option") == 6
    assert "The 5 least used" in text
    Distillation.objects.filter(pk=everyone[26].pk).update(keyword="another word altogether")
    found = page(desk_of(operator), f"{DRAFT}?find=word+ALTOG")
    assert f'value="{everyone[26].pk}"' in found
    assert found.count("<option") == 2
    assert f'value="{everyone[29].pk}" selected' in page(desk_of(operator), f"{ADD}?distillation={everyone[29].pk}")


def test_many_without_a_topic_hide_none_that_can_be_used(operator, desk_of, monkeypatch):
    monkeypatch.setattr("distillations.admin.task_form.LISTED", 5)
    distilled(10, topics=0, keyword="bare")
    [only] = distilled(1)
    used(only)
    assert Distillation.objects.least_used_for_choice(12)[-1] == only
    assert only.pk in [each.pk for each in Distillation.objects.recommended()[:5]]


@pytest.mark.parametrize("mode", ["auto", "manual"])
def test_the_preview_is_exactly_what_the_pick_then_takes(mode, operator, desk_of):
    everyone = distilled(5, topics=4)
    used(everyone[0], times=3)
    used(everyone[2], topic=Topic.objects.filter(distillation=everyone[2]).first())
    services.request_generation(services.GenerationOptions(2), actor="test")  # whose reservations count too
    chosen = everyone[2].pk if mode == "manual" else None
    expected = preview(3, chosen)
    asked = {"requested_count": "3", "mode": mode, "distillation": str(chosen or "")}
    shown = seen(page(desk_of(operator), DRAFT, query_params=asked))
    assert shown == [(each.keyword, each.question) for each in expected]
    assert len(shown) == 3
    assert sent(desk_of(operator), **asked).status_code == 302
    assert taken(GenerationTask.objects.latest("pk")) == [(each.distillation_id, each.topic_id) for each in expected]


def test_the_preview_without_a_script_keeps_what_was_typed_and_makes_nothing(operator, desk_of):
    distilled(4)
    answer = desk_of(operator).post(ADD, {"requested_count": "4", "mode": "auto", "once": "once-1", "_preview": "1"})
    text = html.unescape(answer.content.decode())
    assert len(seen(text)) == 4
    assert 'value="4"' in text
    assert 'value="once-1"' in text
    assert not GenerationTask.objects.exists()


def test_the_preview_reserves_and_locks_nothing(operator, desk_of):
    distilled(3)
    page(desk_of(operator), f"{DRAFT}?requested_count=3&mode=auto")
    assert list(Distillation.objects.values_list("reserved_count", flat=True)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Not enough distillations can be used: only 3 are available, but 5 articles were asked for"),
        ("zh-hans", "可用蒸馏结果不足，当前只有3个可用，但请求生成5篇文章"),
    ],
)
def test_more_than_there_are_is_refused_with_the_documents_sentence_and_makes_nothing(
    language, sentence, operator, desk_of
):
    distilled(3)
    wish = {"requested_count": "5", "mode": "auto", "_create": "1"}
    answer = desk_of(operator).post(ADD, wish, headers={"accept-language": language})
    assert answer.status_code == 422
    assert html.unescape(answer.content.decode()).count(sentence) == 2  # beside the field, and in the preview
    assert not GenerationTask.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="generation-task").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"requested_count": "0"}, {"requested_count": "101"}, {"requested_count": "x"}, {"requested_count": ""},
        {"mode": "other"}, {"mode": "manual"}, {"mode": "manual", "distillation": "0"},
        {"mode": "manual", "distillation": "9" * 30}, {"mode": "manual", "distillation": "123456"},
        {"conversion_target": "123456"}, {"article_setting": "x"}, {"knowledge_base": "9" * 30},
    ],
)  # fmt: skip
def test_a_wrong_wish_is_asked_again_and_makes_nothing(wrong, operator, desk_of):
    distilled(3)
    answer = sent(desk_of(operator), **wrong)
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not GenerationTask.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["?distillation=x", "?distillation=999999", "?requested_count=1000", "?find=%00", f"?distillation={'9' * 40}"],
)
def test_whatever_the_address_says_the_form_opens(address, operator, desk_of):
    distilled(2)
    page(desk_of(operator), ADD + address)
    page(desk_of(operator), DRAFT + address)


def test_the_task_is_made_for_and_from_what_was_chosen(operator, desk_of):
    [source] = distilled(1, topics=3)
    target = ConversionTarget.objects.create(company_name="Company")
    setting = ArticleSetting.objects.create(name="Setting", prompt="{keyword}")
    base = KnowledgeBase.objects.create(name="Shelf")
    answer = sent(
        desk_of(operator), mode="manual", distillation=source.pk, conversion_target=target.pk,
        article_setting=setting.pk, knowledge_base=base.pk,
    )  # fmt: skip
    made = GenerationTask.objects.get()
    assert answer["Location"] == f"/admin/distillations/generationtask/{made.pk}/change/"
    assert (made.mode, made.distillation, made.requested_count, made.requested_by) == ("manual", source, 2, operator)
    assert (made.conversion_target, made.article_setting, made.knowledge_base) == (target, setting, base)
    assert AuditEvent.objects.get(action="generation-task.requested").actor_name == "operator"


def test_a_double_click_makes_one_task_and_leads_to_it(operator, desk_of):
    distilled(10)
    desk = desk_of(operator)
    first, second = sent(desk), sent(desk)
    assert first["Location"] == second["Location"]
    assert GenerationTask.objects.count() == 1
    assert sent(desk, once="once-2")["Location"] != first["Location"]


@pytest.mark.long
def test_clicks_at_the_same_moment_make_one_task(operator, client):
    distilled(30)
    client.force_login(operator)
    cookies = client.cookies

    def click():
        other = Client()
        other.cookies = cookies
        assert sent(other).status_code == 302

    assert at_once(*[click] * 8) == [None] * 8
    assert GenerationTask.objects.count() == 1


def test_a_refused_form_may_be_corrected_and_sent_again(operator, desk_of):
    distilled(3)
    desk = desk_of(operator)
    assert sent(desk, requested_count="4").status_code == 422
    assert sent(desk, requested_count="3").status_code == 302
    assert GenerationTask.objects.get().requested_count == 3


def test_an_automatic_task_ignores_a_distillation_chosen_before(operator, desk_of):
    [source] = distilled(1)
    task("cancelled", requested=1)
    sent(desk_of(operator), distillation=source.pk, requested_count="1")
    assert GenerationTask.objects.latest("pk").mode == "auto"
