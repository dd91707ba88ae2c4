"""Administrators repair and reset: first they see what would happen, then it does, and only what they saw."""

import re

import pytest

from access.models import AuditEvent
from api import bounded
from distillations import usage
from distillations.models import DistillationUsage, Topic, UsageCheck
from distilled import damage, distilled, drift, topics_of, used
from distilled import usage as counts

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/distillations/distillation/"
REPAIR, RESET_ALL, SPREAD = f"{LIST}repair/", f"{LIST}reset-all/", f"{LIST}distribution/"


@pytest.fixture
def drifted():
    """Two distillations with wrong counters, one of them a topic's."""
    one, other = distilled(2)
    used(one, times=3, topic=topics_of(one)[0])
    damage(
        f"UPDATE distillations SET usage_count = 7 WHERE id = {one.pk}",
        f"UPDATE topics SET usage_count = 5 WHERE id = {topics_of(other)[0].pk}",
    )
    return one, other


@pytest.mark.parametrize("address", [REPAIR, RESET_ALL])
def test_tools_are_for_administrators(address, operator, viewer, administrator, desk_of):
    for user, status in ((viewer, 403), (operator, 403), (administrator, 200)):
        desk = desk_of(user)
        assert desk.get(address).status_code == status
        assert (address in desk.get(LIST).content.decode()) == (status == 200)
    assert desk_of(operator).post(address, {"total": "0"}).status_code == 403


# --- Repair --------------------------------------------------------------------------------------


def test_a_repair_shows_old_and_new_first_and_writes_nothing(drifted, administrator, desk_of):
    one, other = drifted
    page = desk_of(administrator).get(REPAIR).content.decode()
    assert "2 counters differ from their rows" in page
    told = re.findall(r'<del class="old-count">(\d+)</del>.*?<ins class="new-count">(\d+)</ins>', page)
    assert told == [("7", "3"), ("5", "0")]
    assert topics_of(other)[0].question in page
    assert f"{LIST}{one.pk}/change/" in page
    assert len(drift()) == 2
    assert not AuditEvent.objects.filter(action__startswith="usage.").exists()
    assert not UsageCheck.objects.exists()


def test_applying_it_mends_every_counter_on_record(drifted, administrator, desk_of):
    answer = desk_of(administrator).post(REPAIR, follow=True)
    assert "2 counters were repaired." in answer.content.decode()
    assert drift() == []
    assert AuditEvent.objects.get(action="usage.repaired").actor_name == "administrator"
    assert "drifted</span>" not in answer.content.decode()


def test_a_repair_of_nothing_says_so(administrator, desk_of):
    used(distilled(1)[0])
    desk = desk_of(administrator)
    page = desk.get(REPAIR).content.decode()
    assert "Nothing has drifted" in page
    assert 'type="submit" class="default"' not in page
    assert "nothing to repair" in desk.post(REPAIR, follow=True).content.decode()
    assert not AuditEvent.objects.filter(action__startswith="usage.").exists()


# --- Reset ---------------------------------------------------------------------------------------


def test_resetting_one_tells_how_many_uses_go(administrator, desk_of):
    one, other = distilled(2)
    used(one, times=3)
    used(other)
    desk = desk_of(administrator)
    address = f"{LIST}{one.pk}/do/reset_one/"
    assert "3 records of use will be deleted." in desk.post(address).content.decode()
    assert counts(one, other) == [3, 1]
    assert "3 uses were forgotten." in desk.post(address, {"confirmed": "1"}, follow=True).content.decode()
    assert counts(one, other) == [0, 1]
    assert drift() == []


def test_everything_is_reset_by_who_types_the_total(administrator, desk_of):
    one, other = distilled(2)
    used(one, times=2, topic=topics_of(one)[0])
    used(other)
    desk = desk_of(administrator)
    page = desk.get(RESET_ALL).content.decode()
    assert "3 uses" in page
    assert "all 2 distillations" in page
    assert "3 uses were forgotten." in desk.post(RESET_ALL, {"total": "3"}, follow=True).content.decode()
    assert counts(one, other) == [0, 0]
    assert drift() == []
    assert AuditEvent.objects.filter(action="usage.all-reset").count() == 1


@pytest.mark.parametrize("typed", ["2", "4", "", "x", "-1", "9" * 40])
def test_another_total_resets_nothing(typed, administrator, desk_of):
    (one,) = distilled(1)
    used(one, times=3)
    answer = desk_of(administrator).post(RESET_ALL, {"total": typed})
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert counts(one) == [3]
    assert not AuditEvent.objects.filter(action__startswith="usage.").exists()


def test_a_total_that_changed_since_it_was_shown_resets_nothing_and_shows_the_new_one(administrator, desk_of):
    (one,) = distilled(1)
    used(one, times=3)
    desk = desk_of(administrator)
    assert "3 uses" in desk.get(RESET_ALL).content.decode()
    used(one)
    answer = desk.post(RESET_ALL, {"total": "3"})
    assert answer.status_code == 422
    assert "There are 4 uses now, not 3." in answer.content.decode()
    assert DistillationUsage.objects.count() == 4


# --- Distribution --------------------------------------------------------------------------------


def test_the_distribution_counts_by_number_of_uses(viewer, desk_of):
    rows = distilled(4)
    used(rows[0], times=3)
    used(rows[1])
    Topic.objects.filter(distillation=rows[3]).delete()
    answer = desk_of(viewer).get(SPREAD)
    chart = answer.context["chart"]
    assert list(chart.labels) == ["0", "1", "2", "3"]
    assert [list(line.values) for line in chart.series] == [[1, 1, 0, 1], [1, 0, 0, 0]]
    assert [value for _label, value in answer.context["figures"]] == ["3", "0", "1.33", "3"]
    assert SPREAD in desk_of(viewer).get(LIST).content.decode()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_distribution_of_nothing_opens(language, viewer, desk_of):
    assert desk_of(viewer).get(SPREAD, headers={"accept-language": language}).status_code == 200


def test_of_a_large_table_the_last_check_tells_distribution_and_drift(drifted, viewer, desk_of, monkeypatch):
    desk = desk_of(viewer)
    usage.verify_usage()
    _one, other = drifted
    used(other)  # no longer as the check counted it
    monkeypatch.setattr(bounded, "COUNT_MAY_COST", -1)
    answer = desk.get(SPREAD)
    assert "As counted at" in answer.content.decode()
    assert sum(answer.context["chart"].series[0].values) == 2
    assert answer.context["figures"][2][1] == "3.50"
    page = desk.get(f"{LIST}?drifted=yes").content.decode()
    assert page.count("drifted</span>") == 2
    usage.repair_usage(actor="test")
    assert "drifted</span>" not in desk.get(f"{LIST}?drifted=yes").content.decode()


def test_only_the_newest_check_keeps_what_it_found(drifted):
    usage.verify_usage()
    usage.verify_usage()
    old, new = UsageCheck.objects.order_by("id")
    assert (old.drifted_ids, old.spread) == ([], [])
    assert new.drifted_ids == sorted(each.pk for each in drifted)
    assert new.spread == [[0, 0, 1, 0], *([count, count, 0, 0] for count in range(1, 7)), [7, 7, 1, 0]]
