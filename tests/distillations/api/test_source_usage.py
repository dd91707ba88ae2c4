"""How distillations were used: history, reset, repair."""

import pytest
from django.conf import settings as django_settings

from access.models import AuditEvent
from distillations.models import Distillation, DistillationUsage, GeneratedArticle, GenerationSlot
from distilled import distilled, drift, execute, slot, task, topics_of, used

pytestmark = pytest.mark.django_db
HERE = "/api/v1/distillation"


def drifted(distillation, count):
    execute(
        "SET LOCAL pressroom.counters = 'mend'",
        f"UPDATE distillations SET usage_count = {count} WHERE id = {distillation.pk}",
        "SET LOCAL pressroom.counters = ''",
    )


def audited(action):
    return list(AuditEvent.objects.filter(action=action).values_list("actor_name", flat=True))


# --- History -------------------------------------------------------------------------------------


def test_the_history_is_that_of_one_distillation_newest_first_in_both_forms(api):
    one, other = distilled(2)
    articles = [used(one)[0] for _ in range(3)]
    used(other)
    GeneratedArticle.objects.filter(pk=articles[0].pk).update(title="<b>标题</b>")
    body = api.get(f"{HERE}/{one.pk}/usage-history").json()
    assert [each["articleId"] for each in body["history"]] == [each.pk for each in reversed(articles)]
    assert body["history"][2]["articleTitle"] == "<b>标题</b>"
    assert body["history"][2]["taskId"] == articles[0].task_id
    assert (body["total"], body["page"], body["pageSize"]) == (3, 1, 10)
    page = api.get(f"{HERE}/{one.pk}/usage?page=2&pageSize=2").json()
    assert [each["articleId"] for each in page["usageHistory"]] == [articles[0].pk]
    assert (page["distillationId"], page["keyword"], page["totalUsageCount"]) == (one.pk, one.keyword, 3)
    assert (page["total"], page["page"], page["pageSize"]) == (3, 2, 2)


def test_what_was_deleted_follows_behind_the_uses_and_is_never_counted(api):
    (one,) = distilled(1, topics=5)
    of = task("completed", requested=5, generated_count=5)
    for position, topic in enumerate(topics_of(one), 1):
        (article,) = used(one, of=of, topic=topic)
        slot(of, one, position=position, status="done", topic=topic, article=article, is_auto=False)
    gone = list(GeneratedArticle.objects.order_by("id")[:3])
    GeneratedArticle.objects.filter(pk__in=[each.pk for each in gone]).delete()
    where = f"{HERE}/{one.pk}/usage-history"
    body = api.get(where).json()
    assert (len(body["history"]), body["total"], "deletedTotal" in body) == (2, 2, False)
    body = api.get(f"{where}?includeDeleted=true").json()
    assert [each["isDeleted"] for each in body["history"]] == [False, False, True, True, True]
    assert (body["total"], body["deletedTotal"]) == (2, 3)
    assert body["history"][2] == body["history"][2] | {"id": None, "articleId": None, "articleTitle": None,
                                                      "taskId": of.pk}  # fmt: skip
    pages = [api.get(f"{where}?includeDeleted=true&pageSize=2&page={page}").json() for page in (1, 2, 3, 4)]
    assert [each for page in pages for each in page["history"]] == body["history"]
    assert {page["total"] for page in pages} == {2}
    assert GenerationSlot.objects.filter(article=None).count() == 3
    assert api.get(f"{where}?includeDeleted=false").json()["history"] == body["history"][:2]


def test_a_distillation_without_uses_shows_only_what_was_deleted(api):
    (one,) = distilled(1)
    slot(task("completed", generated_count=1), one, status="done")
    body = api.get(f"{HERE}/{one.pk}/usage-history?includeDeleted=true").json()
    assert (len(body["history"]), body["total"], body["deletedTotal"]) == (1, 0, 1)


# --- Reset ---------------------------------------------------------------------------------------


def test_a_reset_of_one_forgets_its_uses_and_no_other(admin_api):
    one, other = distilled(2)
    used(one, times=5)
    used(other)
    answer = admin_api.post(f"{HERE}/{one.pk}/reset-usage", {}, HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert answer.json() == {"success": True, "message": "使用统计已重置", "previousCount": 5, "deletedRecords": 5}
    assert list(Distillation.objects.order_by("id").values_list("usage_count", flat=True)) == [0, 1]
    assert DistillationUsage.objects.count() == 1
    assert GeneratedArticle.objects.count() == 6
    assert audited("usage.reset") == ["administrator"]
    assert drift() == []


def test_a_reset_of_all_says_what_it_forgot(admin_api):
    for each in distilled(3)[:2]:
        used(each, times=2)
    answer = admin_api.post(f"{HERE}/reset-all-usage", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert answer.json() == {
        "success": True, "message": "已重置 3 条蒸馏结果", "affected": 3, "deletedRecords": 4,
    }  # fmt: skip
    assert not DistillationUsage.objects.exists()
    assert audited("usage.all-reset") == ["administrator"]


def test_a_reset_of_all_that_expected_others_is_told_how_many_there_are(admin_api, refused):
    used(distilled(1)[0], times=4)
    body = refused(admin_api.post(f"{HERE}/reset-all-usage", {"expectedTotal": 3}), 409, "uses-changed")
    assert body["total"] == 4
    assert DistillationUsage.objects.count() == 4
    assert admin_api.post(f"{HERE}/reset-all-usage", {"expected_total": 4}).status_code == 200


@pytest.mark.parametrize(
    "wish", [{"expectedTotal": -1}, {"expectedTotal": "all"}, {"total": 1}, {"expectedTotal": 2**63}]
)
def test_a_reset_of_all_that_makes_no_sense_resets_nothing(admin_api, wish):
    used(distilled(1)[0])
    assert admin_api.post(f"{HERE}/reset-all-usage", wish).status_code == 400
    assert DistillationUsage.objects.count() == 1


def test_all_are_reset_three_times_an_hour_at_most(admin_api, refused, settings):
    rates = django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    settings.REST_FRAMEWORK = {
        **django_settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {**rates, "reset-all": "3/d"},
    }  # fmt: skip
    assert [admin_api.post(f"{HERE}/reset-all-usage").status_code for _ in range(3)] == [200] * 3
    refused(admin_api.post(f"{HERE}/reset-all-usage"), 429, "throttled")
    assert admin_api.get(f"{HERE}/stats").status_code == 200


# --- Repair --------------------------------------------------------------------------------------


def test_a_dry_run_of_the_repair_tells_what_it_would_do_and_changes_nothing(admin_api):
    one, _other = distilled(2)
    used(one, times=3)
    drifted(one, 7)
    details = [{"distillationId": one.pk, "oldCount": 7, "newCount": 3}]
    wanted = {"fixed": 1, "otherCounters": 0, "errors": [], "details": details, "checked": 2}
    assert admin_api.post(f"{HERE}/repair-usage-stats?dryRun=true").json() == wanted | {"dryRun": True}
    assert Distillation.objects.get(pk=one.pk).usage_count == 7
    assert audited("usage.repaired") == []
    assert admin_api.post(f"{HERE}/repair-usage-stats").json() == wanted | {"dryRun": False}
    assert drift() == []
    assert audited("usage.repaired") == ["administrator"]
    again = admin_api.post(f"{HERE}/repair-usage-stats?dryRun=false").json()
    assert (again["fixed"], again["details"]) == (0, [])


def test_a_dry_run_that_is_neither_true_nor_false_is_refused_and_repairs_nothing(admin_api):
    (one,) = distilled(1)
    drifted(one, 7)
    for query in ("dryRun=1", "dryRun=", "dry=true", "dryRun=True"):
        assert admin_api.post(f"{HERE}/repair-usage-stats?{query}").status_code == 400
    assert Distillation.objects.get().usage_count == 7


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_an_administrator_resets_and_repairs(role, client_of, request, refused):
    client = client_of(request.getfixturevalue(role))
    (one,) = distilled(1)
    used(one)
    for route in (f"{one.pk}/reset-usage", "reset-all-usage", "repair-usage-stats", "repair-usage-stats?dryRun=true"):
        refused(client.post(f"{HERE}/{route}"), 403, "permission-denied")
    assert DistillationUsage.objects.count() == 1


def test_one_that_nobody_has_cannot_be_reset(admin_api):
    answer = admin_api.post(f"{HERE}/999999999/reset-usage", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert (answer.status_code, answer.json()["detail"]) == (404, "蒸馏结果不存在")
