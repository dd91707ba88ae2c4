"""manage.py generate_roadmap and retry_roadmap as a shell sees them, and what people get wrong."""

import json

import pytest
from django.core.management import execute_from_command_line

import workshop
from roadmaps import planner, workflow
from roadmaps.choices import RoadmapError
from roadmaps.models import Concept, RoadmapTask
from roadmaps.services import decide
from runs.errors import RunFailed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_trees")]

REPORT = {
    "taskId", "status", "currentStep", "roadmapId", "attempt", "errorMessage", "failedConcepts", "summary"
}  # fmt: skip


def exit_code(*arguments):
    """The exit code of manage.py run inside this process, which spares a second of start-up."""
    with pytest.raises(SystemExit) as leaving:
        here(*arguments)
    return leaving.value.code


def here(*arguments):
    execute_from_command_line(["manage.py", *map(str, arguments)])


def one_line(text):
    """The only line of an error beside the log; no traceback, no second line."""
    lines = [line for line in text.strip().splitlines() if not line.startswith('{"event"') and '"logger"' not in line]
    assert len(lines) == 1, text
    return lines[0]


def test_a_wish_is_queued_for_a_worker_or_made_at_once(capsys, operator):
    here("generate_roadmap", "Learn Redis", "--level", "intermediate", "--hours", "4", "--user", "operator", "--json")
    queued = json.loads(capsys.readouterr().out)
    assert (queued.keys(), queued["status"], queued["roadmapId"]) == (REPORT, "pending", None)
    task = RoadmapTask.objects.get()
    assert (task.requested_by, task.user_request["level"], task.user_request["hours_per_week"]) == (
        operator,
        "intermediate",
        4,
    )
    here("generate_roadmap", "学习 Git", "--wait")
    told = capsys.readouterr().out
    made = RoadmapTask.objects.exclude(pk=task.pk).get()
    assert (made.status, made.requested_by, made.user_request["language"]) == ("completed", None, "zh")
    assert str(made.pk) in told
    assert made.roadmap_id in told
    assert f"{Concept.objects.count()}\n" in told


def test_a_review_is_waited_for_by_nobody_at_the_shell(capsys):
    here("generate_roadmap", "Learn Git", "--review", "--wait", "--json")
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["currentStep"]) == ("human_review_pending", "human_review")


@pytest.mark.parametrize(
    "arguments",
    [
        [], [""], ["  "], ["x" * 501], ["Learn Redis", "--level", "expert"], ["Learn Redis", "--hours", "0"],
        ["Learn Redis", "--hours", "many"], ["Learn Redis", "--hours", "169"], ["Learn Redis", "--hours", "9" * 30],
        ["Learn Redis", "--language", "de"], ["Learn Redis", "--user", "nobody"], ["Learn Redis", "--user", "a\0b"],
        ["Learn", "Redis"], ["Learn Redis", "--fast"],
    ],
)  # fmt: skip
def test_a_wrong_wish_is_refused_in_one_line_and_leaves_nothing(capsys, arguments):
    assert exit_code("generate_roadmap", *arguments) == 2
    assert one_line(capsys.readouterr().err)
    assert not RoadmapTask.objects.exists()


def test_a_topic_that_rules_do_not_know_is_refused_with_those_they_do(capsys):
    assert exit_code("generate_roadmap", "Learn falconry", "--wait") == 2
    assert "Redis" in one_line(capsys.readouterr().err)
    assert not RoadmapTask.objects.exists()


def test_with_a_model_every_topic_is_taken(settings, capsys):
    settings.LLM_PROVIDER = "openai"
    here("generate_roadmap", "Learn falconry")
    assert RoadmapTask.objects.get().status == "pending"


def test_what_failed_says_why_and_is_tried_again_by_either_id(capsys, monkeypatch):
    quiz = planner.quiz

    def failing(wish, framework, concept):
        if concept.concept_id == "c-1-1-1":
            raise RunFailed(RoadmapError.NOT_STORABLE, "no")
        return quiz(wish, framework, concept)

    monkeypatch.setattr(planner, "quiz", failing)
    assert exit_code("generate_roadmap", "Learn Git", "--wait") == 1
    assert "Some contents failed" in one_line(capsys.readouterr().err)
    task = RoadmapTask.objects.get()
    here("retry_roadmap", task.roadmap_id, "--json")
    queued = json.loads(capsys.readouterr().out)
    assert queued.keys() == REPORT | {"recoveryType", "resumedFrom", "reusedSteps", "itemsToRetry"}
    assert (queued["recoveryType"], queued["itemsToRetry"], queued["attempt"]) == ("content", {"quiz": 1}, 2)
    assert exit_code("retry_roadmap", task.pk) == 3
    assert "has not ended" in one_line(capsys.readouterr().err)
    workflow.run_roadmap(task.pk)
    monkeypatch.setattr(planner, "quiz", quiz)
    here("retry_roadmap", task.pk, "--strategy", "content", "--wait")
    assert "Completed" in capsys.readouterr().out
    assert exit_code("retry_roadmap", task.pk) == 3
    assert one_line(capsys.readouterr().err)
    here("retry_roadmap", task.pk, "--from-step", "quiz_generation", "--wait")
    assert RoadmapTask.objects.get().retries == 3


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["7"],
        [workshop.nobody()],
        ["nobodys-12345678"],
        ["a\0b"],
        ["x", "--strategy", "again"],
        ["x", "--from-step", "y"],
    ],
)
def test_a_wrong_retry_is_refused_in_one_line(capsys, arguments):
    assert exit_code("retry_roadmap", *arguments) == 2
    assert one_line(capsys.readouterr().err)


def test_ctrl_c_cancels_what_it_waits_for(capsys, monkeypatch):
    def interrupted(pk):
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "run_roadmap", interrupted)
    assert exit_code("generate_roadmap", "Learn Git", "--wait") == 130
    assert "Cancelled" in one_line(capsys.readouterr().err)
    assert RoadmapTask.objects.get().status == "cancelled"


def test_a_rejected_roadmap_ends_the_wait_with_its_reason(capsys, operator, monkeypatch):
    work = workflow.run_roadmap

    def rejected(pk):
        work(pk)
        decide(RoadmapTask.objects.get(pk=pk), approved=False, user=operator)
        work(pk)

    monkeypatch.setattr(workflow, "run_roadmap", rejected)
    assert exit_code("generate_roadmap", "Learn Git", "--review", "--wait") == 1
    assert "refused" in one_line(capsys.readouterr().err)
    monkeypatch.setattr(workflow, "run_roadmap", work)
    here("retry_roadmap", RoadmapTask.objects.get().pk, "--wait", "--json")
    assert json.loads(capsys.readouterr().out)["status"] == "human_review_pending"
