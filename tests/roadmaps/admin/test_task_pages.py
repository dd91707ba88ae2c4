"""Operators ask for roadmaps, watch them, retry, review and cancel them; others' are not there."""

import html
import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditEvent
from config.language_model import RULES
from conftest import make_user
from roadmapped import asked, broken_content, grown, worked
from roadmaps.models import Concept, HumanReview, RoadmapStep, RoadmapTask
from roadmaps.services import cancel_roadmap

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_trees")]

TASKS = "/admin/roadmaps/roadmaptask/"
HOSTILE = "<script>alert(1)</script>{{ settings.SECRET_KEY }}{% debug %} Redis"
ZH = {"accept-language": "zh-hans"}


@pytest.fixture
def other(db):
    return make_user("other", role="operator")


def page(desk, address=TASKS, *, status=200, **kwargs):
    answer = desk.get(address, **kwargs)
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def of(task, rest="change/"):
    return f"{TASKS}{task.pk}/{rest}"


def do(desk, task, what, **said):
    return desk.post(of(task, f"do/{what}/"), {"confirmed": "1", **said})


def all_of(desk, what, query="", **chosen):
    """What an operator does with every row of a filter: ask, look, confirm."""
    chosen = chosen or {"select_across": "1", "_selected_action": str(RoadmapTask.objects.first().pk)}
    asks = html.unescape(desk.post(f"{TASKS}{query}", {"action": what, **chosen}).content.decode())
    form = dict(re.findall(r'name="(count|fingerprint|once|ticked)" value="([^"]*)"', asks))
    return desk.post(f"{TASKS}all/{what}/{query}", form, follow=True)


def filled(query="Learn Redis", **said):
    return {"query": query, "level": "beginner", "hours_per_week": "6", "once": uuid4().hex, **said}


# --- Who may -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, viewer, desk_of):
    assert 'class="empty"' in page(desk_of(viewer), headers={"accept-language": language})


def test_a_stranger_sees_no_task(stranger, operator, desk_of):
    task = asked(operator)
    for address in (TASKS, f"{TASKS}add/", of(task), of(task, "live/"), of(task, "steps/")):
        page(desk_of(stranger), address, status=403)


def test_the_task_of_somebody_else_is_not_there(operator, other, desk_of):
    task = worked(asked(operator))
    record = RoadmapStep.objects.first()
    desk = desk_of(other)
    assert "Learn Redis" not in page(desk)
    for rest in ("change/", "live/", "history/", "steps/", f"steps/{record.pk}/"):
        page(desk, of(task, rest), status=404)
    for deed in ("retry", "retry_from", "change_wish", "restart", "cancel_run", "approve", "ask_for_changes"):
        assert do(desk, task, deed).status_code == 404
    assert task.retries == RoadmapTask.objects.get().retries == 0


def test_an_administrator_sees_all_and_may_filter_by_owner(operator, other, administrator, desk_of):
    asked(operator, "Learn Redis")
    asked(other, "Learn Python")
    desk = desk_of(administrator)
    assert {"Learn Redis", "Learn Python"} <= set(re.findall(r"Learn \w+", page(desk)))
    mine = page(desk, f"{TASKS}?owner={other.pk}")
    assert "Learn Python" in mine
    assert "Learn Redis" not in mine


def test_who_only_reads_presses_nothing(viewer, desk_of):
    task = worked(asked(viewer))
    desk = desk_of(viewer)
    assert "do-button" not in page(desk, of(task))
    assert desk.get(f"{TASKS}add/").status_code == 403
    assert do(desk, task, "restart").status_code == 403
    assert RoadmapTask.objects.get().status == "completed"


@pytest.mark.parametrize("rest", ["change/", "live/", "steps/", "steps/1/", f"steps/{10**30}/"])
def test_what_is_not_there_is_404(rest, operator, desk_of):
    page(desk_of(operator), f"{TASKS}{uuid4()}/{rest}", status=404)
    page(desk_of(operator), f"{TASKS}no-uuid/{rest}", status=404, follow=True)


# --- The list ------------------------------------------------------------------------------------------


def test_the_list_tells_how_each_went(operator, desk_of):
    task = broken_content(worked(asked(operator)))
    listed = page(desk_of(operator))
    for said in ("Learn Redis", "Partly failed", "Finalizing", "Some contents failed", task.roadmap.title):
        assert said in listed


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("status__exact=failed", 1),
        ("current_step__exact=quiz_generation", 1),
        ("stuck=15", 1),
        ("retried=yes", 1),
        ("retried=no", 3),
        ("q=pyth", 1),
        ("q=learn", 4),
        ("q=le", 4),
        ("q=ea", 0),
        ("q=learn+pyth", 1),
    ],
)
def test_the_filters_find(query, count, operator, desk_of):
    now = timezone.now()
    long_ago = now - timezone.timedelta(minutes=20)
    asked(operator, "Learn Python")
    failed, stuck, retried = (asked(operator) for _ in range(3))
    RoadmapTask.objects.filter(pk=failed.pk).update(
        status="failed", error="llm-timeout", finished_at=now, current_step="quiz_generation"
    )
    RoadmapTask.objects.filter(pk=stuck.pk).update(
        status="processing", lease_token=1, lease_until=now, started_at=long_ago
    )
    RoadmapTask.objects.filter(pk=retried.pk).update(retries=2)
    listed = page(desk_of(operator), f"{TASKS}?{query}")
    assert len(re.findall(r'class="field-wish', listed)) == count


def test_a_task_is_found_by_its_id(operator, desk_of):
    task, _other = asked(operator), asked(operator)
    assert len(re.findall(r'class="field-wish', page(desk_of(operator), f"{TASKS}?q={task.pk}"))) == 1


def test_a_step_that_was_done_just_now_is_not_stuck(operator):
    task = worked(asked(operator))
    long_ago = timezone.now() - timezone.timedelta(minutes=20)
    RoadmapTask.objects.filter(pk=task.pk).update(
        status="processing", lease_token=1, lease_until=long_ago, started_at=long_ago, finished_at=None
    )
    assert RoadmapTask.objects.stuck(900).count() == 0
    RoadmapStep.objects.update(updated_at=long_ago)
    assert RoadmapTask.objects.stuck(900).count() == 1


def test_the_list_takes_the_same_number_of_queries_for_3_rows_and_300(operator, desk_of):
    desk = desk_of(operator)
    done = worked(asked(operator))

    def rows(count):
        RoadmapTask.objects.bulk_create(
            RoadmapTask(
                status="failed", error="llm-timeout", finished_at=timezone.now(), requested_by=operator,
                user_request={"query": "Learn Redis"}, roadmap=done.roadmap,
            )
            for _ in range(count)
        )  # fmt: skip

    def queries():
        with CaptureQueriesContext(connection) as captured:
            page(desk)
        return len(captured)

    rows(2)
    queries()  # what is asked once per process
    few = queries()
    rows(297)
    assert queries() - few <= 2  # how many rows there are, where a page does not hold them all
    assert few < 20


def test_a_list_can_be_taken_along(operator, desk_of):
    worked(asked(operator))
    answer = desk_of(operator).get(f"{TASKS}download.csv")
    assert "Learn Redis" in b"".join(answer.streaming_content).decode()


# --- Asking for a roadmap ------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "said"), [("en", "Rules plan it"), ("zh-hans", "规则")])
def test_the_form_says_who_plans_and_what_rules_know(language, said, operator, desk_of):
    form = page(desk_of(operator), f"{TASKS}add/", headers={"accept-language": language})
    assert said in form
    assert "Redis" in form


def test_with_a_model_the_form_says_so(operator, desk_of, settings):
    settings.LLM_PROVIDER, settings.LLM_MODEL = "openai", "some-model"
    form = page(desk_of(operator), f"{TASKS}add/")
    assert "some-model" in form
    assert "Rules plan it" not in form


def test_a_wish_becomes_a_task_of_who_wrote_it(operator, desk_of):
    said = filled("学习 Redis", level="advanced", hours_per_week="9", motivation="why", human_review="on")
    answer = desk_of(operator).post(f"{TASKS}add/", said)
    task = RoadmapTask.objects.get()
    assert answer["Location"] == of(task)
    assert (task.requested_by, task.human_review, task.status) == (operator, True, "pending")
    wish = task.user_request
    assert (wish["query"], wish["level"], wish["hours_per_week"], wish["language"], wish["motivation"]) == (
        "学习 Redis", "advanced", 9, "zh", "why",
    )  # fmt: skip


def test_a_form_that_comes_twice_makes_one_task_and_leads_to_it(operator, desk_of):
    desk, said = desk_of(operator), filled()
    first, second = desk.post(f"{TASKS}add/", said), desk.post(f"{TASKS}add/", said)
    assert first["Location"] == second["Location"] == of(RoadmapTask.objects.get())


def test_a_topic_that_rules_do_not_know_is_refused_before_a_task_is_made(operator, desk_of):
    answer = desk_of(operator).post(f"{TASKS}add/", filled("Learn falconry"))
    assert answer.status_code == 422
    shown = html.unescape(answer.content.decode())
    assert "Redis" in re.search(r'class="errorlist[^>]*>(.*?)</ul>', shown, re.S).group(1)
    assert 'value="Learn falconry"' in shown
    assert not RoadmapTask.objects.exists()


def test_a_model_may_be_asked_about_any_topic(operator, desk_of, settings):
    settings.LLM_PROVIDER = "openai"
    assert desk_of(operator).post(f"{TASKS}add/", filled("Learn falconry")).status_code == 302


@pytest.mark.parametrize(
    "said",
    [
        {"query": ""},
        {"query": "x" * 501},
        {"query": "\x00"},
        {"level": "god"},
        {"hours_per_week": "0"},
        {"hours_per_week": "169"},
        {"hours_per_week": "many"},
        {"language": "la"},
        {"motivation": "x" * 2001},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_in_the_form(said, operator, desk_of):
    answer = desk_of(operator).post(f"{TASKS}add/", filled(**said))
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not RoadmapTask.objects.exists()


# --- The page ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_shows_steps_and_contents(language, operator, desk_of):
    task = worked(asked(operator))
    shown = page(desk_of(operator), of(task), headers={"accept-language": language})
    assert shown.count('class="step step-') == 9
    assert shown.count("step-done") == 7
    assert shown.count("step-skipped") == 2
    concepts = Concept.objects.count()
    assert shown.count(f"{concepts} / {concepts}") == 3
    assert shown.count("/concepts/c-") >= concepts
    assert "data-live=" not in shown


def test_a_queued_task_moves_without_a_reload(operator, desk_of):
    task = asked(operator)
    desk = desk_of(operator)
    assert f'data-live="{of(task, "live/")}"' in page(desk, of(task))
    answer = desk.get(of(task, "live/"))
    assert "data-live-over" not in answer.content.decode()
    assert answer["Retry-After"] == "2"
    assert desk.get(of(task, "live/"), headers={"if-none-match": answer["ETag"]}).status_code == 304
    worked(task)
    assert "data-live-over" in page(desk, of(task, "live/"))


def test_the_page_takes_the_same_number_of_queries_for_few_contents_and_many(operator, desk_of):
    desk = desk_of(operator)
    few, many = worked(asked(operator)), worked(asked(operator))
    grown(many, 300)

    def queries(task):
        with CaptureQueriesContext(connection) as captured:
            page(desk, of(task))
        return len(captured)

    queries(few)
    assert queries(few) == queries(many) < 25


def test_an_attempt_shows_what_was_used_again(operator, desk_of):
    desk, task = desk_of(operator), broken_content(worked(asked(operator)))
    shown = page(desk, of(task))
    assert "said so" in shown
    assert "Retry makes only the contents that failed" in shown
    assert do(desk, task, "retry").status_code == 302
    worked(task)
    shown = page(desk, of(task))
    assert "attempt 2" in shown
    assert re.search(r"Reused \d", shown)
    assert task.status == "completed"


def test_a_retry_begins_where_it_failed_and_twice_is_once(operator, desk_of):
    desk, task = desk_of(operator), broken_content(worked(asked(operator)))
    do(desk, task, "retry")
    do(desk, task, "retry")
    task.refresh_from_db()
    assert (task.retries, task.status, task.error) == (1, "pending", "")


def test_a_retry_from_a_step_makes_what_follows_anew(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator))
    assert desk.post(of(task, "do/retry_from/"), {"confirmed": "1", "from_step": "no-step"}).status_code == 422
    do(desk, task, "retry_from", from_step="quiz_generation")
    worked(task)
    outcomes = set(RoadmapStep.objects.filter(retry=1).values_list("step", "outcome"))
    assert ("tutorial_generation", "reused") in outcomes
    assert ("quiz_generation", "updated") in outcomes


def test_a_restart_makes_everything_anew(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator))
    do(desk, task, "restart")
    worked(task)
    assert not RoadmapStep.objects.filter(retry=1, outcome="reused").exists()


def test_a_changed_wish_is_tried_again_and_its_difference_shown(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator))
    asks = page(desk, of(task), status=200)
    asks = html.unescape(desk.post(of(task, "do/change_wish/")).content.decode())
    assert 'value="Learn Redis"' in asks
    same = {"query": "Learn Redis", "level": "beginner", "hours_per_week": "6", "language": "en"}
    do(desk, task, "change_wish", **same)
    assert RoadmapTask.objects.get().retries == 0
    do(desk, task, "change_wish", **same | {"level": "advanced"})
    worked(task)
    assert (task.retries, task.user_request["level"]) == (1, "advanced")
    record = RoadmapStep.objects.get(retry=1, step="intent_analysis")
    shown = page(desk, of(task, f"steps/{record.pk}/"))
    assert re.findall(r'<th scope="row">([^<]*)', shown) == ["/wish/level"]
    assert "<del>beginner</del>" in shown
    assert "<ins>advanced</ins>" in shown


def test_a_changed_wish_that_rules_do_not_know_is_refused(operator, desk_of):
    task = worked(asked(operator))
    said = {"query": "falconry", "level": "beginner", "hours_per_week": "6", "language": "en"}
    assert do(desk_of(operator), task, "change_wish", **said).status_code == 422
    assert RoadmapTask.objects.get().retries == 0


def test_a_task_is_cancelled_and_can_be_retried(operator, desk_of):
    desk, task = desk_of(operator), asked(operator)
    do(desk, task, "cancel_run")
    task.refresh_from_db()
    assert task.status == "cancelled"
    do(desk, task, "retry")
    assert worked(task).status == "completed"


# --- Review --------------------------------------------------------------------------------------------


def test_a_review_shows_the_tree_and_takes_one_decision(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator, human_review=True))
    shown = page(desk, of(task))
    assert 'class="panel review"' in shown
    assert task.roadmap.framework["stages"][0]["name"] in shown
    assert f"{of(task, 'live/')}?waiting=1" in shown
    assert "data-live-over" not in page(desk, of(task, "live/?waiting=1"))
    do(desk, task, "approve")
    do(desk, task, "approve")
    do(desk, task, "ask_for_changes", feedback="too late")
    assert list(HumanReview.objects.values_list("approved", "reviewed_by")) == [(True, operator.pk)]
    assert "data-live-over" in page(desk, of(task, "live/?waiting=1"))
    assert worked(task).status == "completed"


def test_changes_are_asked_for_with_words(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator, human_review=True))
    assert do(desk, task, "ask_for_changes", feedback=" ").status_code == 422
    assert do(desk, task, "ask_for_changes", feedback="x" * 2001).status_code == 422
    assert not HumanReview.objects.exists()
    do(desk, task, "ask_for_changes", feedback="less theory")
    assert HumanReview.objects.get().feedback == "less theory"


def test_a_task_that_comes_to_its_review_has_the_page_loaded_again(operator, desk_of):
    task = asked(operator, human_review=True)
    desk = desk_of(operator)
    assert "data-live-over" not in page(desk, of(task, "live/"))
    worked(task)
    assert "data-live-over" in page(desk, of(task, "live/"))


# --- Steps ---------------------------------------------------------------------------------------------


def test_the_steps_show_inputs_and_outputs(operator, desk_of):
    desk, task = desk_of(operator), worked(asked(operator))
    listed = page(desk, of(task, "steps/"))
    assert listed.count(f'href="{of(task, "steps/")}') == RoadmapStep.objects.count()
    only = page(desk, of(task, "steps/?step=quiz_generation"))
    assert only.count(f'href="{of(task, "steps/")}') == Concept.objects.count()
    record = RoadmapStep.objects.get(step="intent_analysis")
    shown = page(desk, of(task, f"steps/{record.pk}/"))
    assert "parsed_goal" in shown
    assert '<details class="json"' in shown


def test_a_step_of_another_task_is_not_there(operator, desk_of):
    task, other = worked(asked(operator)), asked(operator)
    record = RoadmapStep.objects.of(task).first()
    page(desk_of(operator), of(other, f"steps/{record.pk}/"), status=404)


# --- Many at once --------------------------------------------------------------------------------------


def test_all_that_failed_are_retried_and_the_others_left_alone(operator, desk_of):
    broken, cancelled, done = worked(asked(operator)), asked(operator), worked(asked(operator))
    broken_content(broken)
    cancel_roadmap(cancelled, actor="test")
    waiting = asked(operator)
    answer = all_of(desk_of(operator), "retry_all")
    assert "2 rows" in html.unescape(answer.content.decode())
    states = {task.pk: (task.status, task.retries, task.recovery) for task in RoadmapTask.objects.all()}
    assert states == {
        broken.pk: ("pending", 1, "content"),
        cancelled.pk: ("pending", 1, "checkpoint"),
        done.pk: ("completed", 0, ""),
        waiting.pk: ("pending", 0, ""),
    }
    assert worked(broken).status == worked(cancelled).status == "completed"


def test_what_rules_cannot_plan_is_left_alone_by_a_bulk_retry(operator, desk_of, settings):
    settings.LLM_PROVIDER = "openai"
    unknown = asked(operator, "Learn falconry")
    settings.LLM_PROVIDER = RULES
    known = asked(operator)
    for task in (unknown, known):
        cancel_roadmap(task, actor="test")
    all_of(desk_of(operator), "retry_all")
    states = dict(RoadmapTask.objects.values_list("pk", "status"))
    assert states == {unknown.pk: "cancelled", known.pk: "pending"}


def test_a_filter_or_ticks_choose_what_is_cancelled(operator, desk_of):
    first, second, third = asked(operator), asked(operator, "Learn Python"), asked(operator)
    desk = desk_of(operator)
    all_of(desk, "cancel_all", "?q=python")
    assert set(RoadmapTask.objects.filter(status="cancelled").values_list("pk", flat=True)) == {second.pk}
    all_of(desk, "cancel_all", _selected_action=[str(third.pk)])
    assert set(RoadmapTask.objects.filter(status="pending").values_list("pk", flat=True)) == {first.pk}
    assert AuditEvent.objects.filter(action="roadmaptask.cancelled").count() == 2


def test_nobody_reaches_the_tasks_of_others_by_a_bulk_action(operator, other, desk_of):
    theirs = asked(other)
    asked(operator)
    all_of(desk_of(operator), "cancel_all")
    theirs.refresh_from_db()
    assert theirs.status == "pending"


def test_a_structure_that_failed_is_checked_anew_by_a_bulk_retry(operator, desk_of):
    task = worked(asked(operator))
    RoadmapTask.objects.update(status="failed", error="validation-failed", current_step="structure_validation")
    all_of(desk_of(operator), "retry_all")
    assert set(RoadmapStep.objects.filter(is_void=True).values_list("step", flat=True)) == {"structure_validation"}
    assert worked(task).status == "completed"


# --- Hostile texts -------------------------------------------------------------------------------------


def test_a_hostile_wish_is_shown_as_text(operator, desk_of):
    desk = desk_of(operator)
    task = worked(asked(operator, HOSTILE))
    record = RoadmapStep.objects.get(step="intent_analysis")
    for address in (TASKS, of(task), of(task, "live/"), of(task, "steps/"), of(task, f"steps/{record.pk}/"), "/admin/"):
        shown = desk.get(address).content.decode()
        assert "<script>alert" not in shown
    assert "{{ settings.SECRET_KEY }}" in html.unescape(desk.get(of(task)).content.decode())
