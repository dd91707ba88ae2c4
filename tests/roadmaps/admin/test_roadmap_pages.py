"""Operators read roadmaps and their concepts, have contents made anew, answer quizzes, delete."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from conftest import make_user
from roadmapped import asked, broken_content, grown, worked
from roadmaps.models import (
    Concept,
    ConceptProgress,
    QuizAttempt,
    QuizMetadata,
    ResourceRecommendationMetadata,
    Roadmap,
    RoadmapTask,
    TutorialMetadata,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_trees")]

ROADMAPS = "/admin/roadmaps/roadmap/"
HOSTILE = "<script>alert(1)</script>{{ settings.SECRET_KEY }}{% debug %}"


@pytest.fixture
def other(db):
    return make_user("other", role="operator")


@pytest.fixture
def roadmap(operator):
    return worked(asked(operator)).roadmap


def page(desk, address=ROADMAPS, *, status=200, **kwargs):
    answer = desk.get(address, **kwargs)
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def of(roadmap, concept="c-1-1-1", rest=""):
    return f"{ROADMAPS}{roadmap.pk}/concepts/{concept}/{rest}"


def answers_for(quiz, *, right=True):
    """The fields of the form with all answers right, or none given."""
    said = {"seen": quiz.updated_at.isoformat()}
    if right:
        said |= {f"q{place}": list(map(str, each["correct_answer"])) for place, each in enumerate(quiz.questions)}
    return said


# --- Who may -------------------------------------------------------------------------------------------


def test_the_roadmap_of_somebody_else_is_not_there(roadmap, other, desk_of):
    desk = desk_of(other)
    assert roadmap.title not in page(desk)
    for address in (f"{ROADMAPS}{roadmap.pk}/change/", f"{ROADMAPS}{roadmap.pk}/history/", of(roadmap)):
        page(desk, address, status=404)
    for address in (
        of(roadmap, rest="anew/"),
        of(roadmap, rest="learnt/"),
        of(roadmap, rest="quiz/"),
        f"{ROADMAPS}{roadmap.pk}/do/delete/",
        f"{ROADMAPS}{roadmap.pk}/do/retry_failed/",
    ):
        assert desk.post(address, {"kind": "quiz", "confirmed": "1"}).status_code == 404
    assert Roadmap.objects.count() == 1
    assert RoadmapTask.objects.get().retries == 0


def test_a_stranger_sees_no_roadmap(roadmap, stranger, desk_of):
    for address in (ROADMAPS, f"{ROADMAPS}{roadmap.pk}/change/", of(roadmap)):
        page(desk_of(stranger), address, status=403)


def test_an_administrator_sees_all(roadmap, administrator, desk_of):
    desk = desk_of(administrator)
    assert roadmap.title in page(desk)
    page(desk, of(roadmap))


def test_who_only_reads_has_nothing_made_or_deleted(viewer, desk_of):
    mine = worked(asked(viewer)).roadmap
    desk = desk_of(viewer)
    assert "anew/" not in page(desk, of(mine))
    assert "do/delete/" not in page(desk, f"{ROADMAPS}{mine.pk}/change/")
    assert desk.post(of(mine, rest="anew/"), {"kind": "quiz"}).status_code == 403
    assert desk.post(f"{ROADMAPS}{mine.pk}/do/delete/", {"confirmed": "1"}).status_code == 403


@pytest.mark.parametrize("concept", ["c-9-9-9", "nothing", "c-1-1-1x", "%00", "c-1-1-１"])
def test_a_concept_that_is_not_there_is_404(concept, roadmap, operator, desk_of):
    page(desk_of(operator), of(roadmap, concept), status=404)


@pytest.mark.parametrize("query", ["version=%00", "version=99", f"version={10**40}", "attempt=x", f"attempt={10**18}"])
def test_an_address_by_hand_shows_the_latest(query, roadmap, operator, desk_of):
    assert "Tutorial" in page(desk_of(operator), f"{of(roadmap)}?{query}")


# --- The list and the tree -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_opens_empty_and_says_what_to_do(language, viewer, desk_of):
    assert 'class="empty"' in page(desk_of(viewer), headers={"accept-language": language})


@pytest.mark.parametrize(("query", "count"), [("q=redis", 1), ("q=re", 0), ("q=nothing-like-this", 0)])
def test_the_filters_find(query, count, roadmap, operator, desk_of):
    Roadmap.objects.update(title="Learn Redis")
    assert len(re.findall(r'class="field-title_shown', page(desk_of(operator), f"{ROADMAPS}?{query}"))) == count


def test_the_list_takes_the_same_number_of_queries_for_3_rows_and_300(roadmap, operator, desk_of):
    desk = desk_of(operator)

    def rows(start, count):
        Roadmap.objects.bulk_create(
            Roadmap(roadmap_id=f"r-{number:08}", owner=operator, title=f"roadmap {number}")
            for number in range(start, start + count)
        )

    def queries():
        with CaptureQueriesContext(connection) as captured:
            page(desk)
        return len(captured)

    rows(0, 2)
    queries()  # what is asked once per process
    few = queries()
    rows(2, 297)
    assert queries() - few <= 2  # how many rows there are, where a page does not hold them all
    assert few < 20


def test_the_page_takes_the_same_number_of_queries_for_few_concepts_and_many(operator, roadmap, desk_of):
    desk, many = desk_of(operator), worked(asked(operator))
    grown(many, 300)

    def queries(of):
        with CaptureQueriesContext(connection) as captured:
            page(desk, f"{ROADMAPS}{of.pk}/change/")
        return len(captured)

    queries(roadmap)
    assert queries(roadmap) == queries(many.roadmap) < 20


@pytest.mark.parametrize(("language", "label"), [("en", "Rule-based"), ("zh-hans", "规则生成")])
def test_the_tree_shows_concepts_with_their_contents_and_who_wrote_it(language, label, roadmap, operator, desk_of):
    shown = page(desk_of(operator), f"{ROADMAPS}{roadmap.pk}/change/", headers={"accept-language": language})
    for concept in Concept.objects.all():
        assert concept.name in shown
        assert f'href="{of(roadmap, concept.concept_id)}"' in shown
        for needed in concept.prerequisites:
            assert f'href="#{needed}"' in shown
    assert label in shown


def test_a_roadmap_without_a_tree_says_so(operator, desk_of):
    bare = Roadmap.objects.create(roadmap_id="bare-00000000", owner=operator)
    assert "not designed yet" in page(desk_of(operator), f"{ROADMAPS}{bare.pk}/change/")


def test_what_failed_is_made_again_from_the_roadmap(operator, desk_of):
    task = broken_content(worked(asked(operator)))
    desk = desk_of(operator)
    assert "do/retry_failed/" in page(desk, f"{ROADMAPS}{task.roadmap.pk}/change/")
    desk.post(f"{ROADMAPS}{task.roadmap.pk}/do/retry_failed/", {"confirmed": "1"})
    assert worked(task).status == "completed"
    assert "do/retry_failed/" not in page(desk, f"{ROADMAPS}{task.roadmap.pk}/change/")


def test_a_roadmap_is_deleted_after_a_question_and_not_while_its_task_works(roadmap, operator, desk_of):
    desk = desk_of(operator)
    address = f"{ROADMAPS}{roadmap.pk}/do/delete/"
    assert desk.post(address).status_code == 200
    RoadmapTask.objects.update(status="pending", finished_at=None)
    assert "cancel it first" in html.unescape(desk.post(address, {"confirmed": "1"}, follow=True).content.decode())
    RoadmapTask.objects.update(status="cancelled", finished_at="2026-01-01T00:00:00Z")
    desk.post(address, {"confirmed": "1"})
    assert not Roadmap.objects.exists()
    assert AuditEvent.objects.filter(action="roadmap.deleted").count() == 1
    task = RoadmapTask.objects.get()
    page(desk, f"/admin/roadmaps/roadmaptask/{task.pk}/change/")


# --- A concept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "label"), [("en", "Rule-based"), ("zh-hans", "规则生成")])
def test_a_concept_shows_all_three_contents_and_who_wrote_each(language, label, roadmap, operator, desk_of):
    shown = page(desk_of(operator), of(roadmap), headers={"accept-language": language})
    tutorial = TutorialMetadata.objects.get(concept_id="c-1-1-1")
    assert tutorial.title in shown
    assert shown.count(label) >= 3
    for question in QuizMetadata.objects.get(concept_id="c-1-1-1").questions:
        assert question["question"] in shown


def test_a_content_is_made_anew_and_the_older_version_can_be_read(roadmap, operator, desk_of):
    desk = desk_of(operator)
    answer = desk.post(of(roadmap, rest="anew/"), {"kind": ["tutorial", "nothing"]})
    task = RoadmapTask.objects.get()
    assert answer["Location"].endswith(f"{task.pk}/change/")
    again = desk.post(of(roadmap, rest="anew/"), {"kind": "tutorial"}, follow=True)
    assert "has not ended yet" in html.unescape(again.content.decode())
    worked(task)
    TutorialMetadata.objects.filter(concept_id="c-1-1-1", version=1).update(content="The **first** words")
    assert "?version=1" in page(desk, of(roadmap))
    assert "<strong>first</strong>" not in page(desk, of(roadmap))
    assert "<strong>first</strong>" in page(desk, f"{of(roadmap)}?version=1")


def test_a_content_without_a_kind_is_refused(roadmap, operator, desk_of):
    assert desk_of(operator).post(of(roadmap, rest="anew/"), {"kind": "nothing"}).status_code == 404
    assert RoadmapTask.objects.get().retries == 0


def test_a_content_that_failed_says_why(operator, desk_of):
    task = broken_content(worked(asked(operator)), kind="tutorial")
    assert "did not answer in time" in page(desk_of(operator), of(task.roadmap))


def test_a_quiz_is_answered_and_shows_the_score_and_the_right_answers(roadmap, operator, desk_of):
    desk, quiz = desk_of(operator), QuizMetadata.objects.get(concept_id="c-1-1-1")
    assert "right answer" not in page(desk, of(roadmap))
    answer = desk.post(of(roadmap, rest="quiz/"), answers_for(quiz))
    attempt = QuizAttempt.objects.get()
    assert answer["Location"] == f"{of(roadmap)}?attempt={attempt.pk}#quiz"
    assert (attempt.user, attempt.correct_answers) == (operator, len(quiz.questions))
    shown = page(desk, answer["Location"])
    assert f"{len(quiz.questions)} of {len(quiz.questions)} right" in shown
    assert "right answer" in shown
    desk.post(of(roadmap, rest="quiz/"), answers_for(quiz, right=False))
    assert QuizAttempt.objects.first().correct_answers == 0


@pytest.mark.parametrize("said", [{"q0": "99"}, {"q0": "-1"}, {"q0": "x"}, {"q0": ["0", "1", "0"]}])
def test_answers_that_make_no_sense_are_no_error_of_ours(said, roadmap, operator, desk_of):
    quiz = QuizMetadata.objects.get(concept_id="c-1-1-1")
    answer = desk_of(operator).post(of(roadmap, rest="quiz/"), answers_for(quiz, right=False) | said, follow=True)
    assert answer.status_code == 200


def test_answers_to_questions_that_were_made_anew_meanwhile_are_refused(roadmap, operator, desk_of):
    quiz = QuizMetadata.objects.get(concept_id="c-1-1-1")
    said = answers_for(quiz) | {"seen": "2020-01-01T00:00:00+00:00"}
    answer = desk_of(operator).post(of(roadmap, rest="quiz/"), said, follow=True)
    assert "made anew" in html.unescape(answer.content.decode())
    assert not QuizAttempt.objects.exists()


def test_nobody_reads_the_tries_of_others(roadmap, operator, administrator, desk_of):
    desk_of(operator).post(of(roadmap, rest="quiz/"), answers_for(QuizMetadata.objects.get(concept_id="c-1-1-1")))
    theirs = QuizAttempt.objects.get()
    assert "right answer" not in page(desk_of(administrator), f"{of(roadmap)}?attempt={theirs.pk}")


def test_a_concept_is_marked_as_learnt_and_the_mark_taken_back(roadmap, operator, desk_of):
    desk = desk_of(operator)
    desk.post(of(roadmap, rest="learnt/"), {"completed": "1"})
    assert "Not learnt yet" in page(desk, of(roadmap))
    assert "leaf-learnt" in page(desk, f"{ROADMAPS}{roadmap.pk}/change/")
    desk.post(of(roadmap, rest="learnt/"), {"completed": "0"})
    assert ConceptProgress.objects.get().is_completed is False
    assert "Mark as learnt" in page(desk, of(roadmap))


def test_a_deed_by_get_is_refused(roadmap, operator, desk_of):
    for rest in ("anew/", "learnt/", "quiz/"):
        assert desk_of(operator).get(of(roadmap, rest=rest)).status_code == 405


# --- Hostile texts -------------------------------------------------------------------------------------


def test_hostile_texts_are_shown_as_texts_and_hostile_links_as_no_links(roadmap, operator, desk_of):
    framework = roadmap.framework
    framework["stages"][0] |= {"name": HOSTILE, "description": HOSTILE}
    framework["stages"][0]["modules"][0] |= {"name": HOSTILE, "description": HOSTILE}
    framework["stages"][0]["modules"][0]["concepts"][0] |= {"name": HOSTILE, "description": HOSTILE}
    Roadmap.objects.update(title=HOSTILE, framework=framework)
    Concept.objects.update(name=HOSTILE, description=HOSTILE, keywords=[HOSTILE], prerequisites=[HOSTILE])
    TutorialMetadata.objects.update(
        title=HOSTILE, summary=HOSTILE, content=f"{HOSTILE}\n\n[x](javascript:alert(1)) <img src=x onerror=alert(1)>"
    )
    evil = {"title": HOSTILE, "type": HOSTILE, "description": HOSTILE, "relevance_score": 1}
    links = ["javascript:alert(1)", "data:text/html,x", "https://good.invalid/<script>", "//evil.invalid", ""]
    ResourceRecommendationMetadata.objects.update(resources=[evil | {"url": url} for url in links])
    asks = {
        "question": HOSTILE, "question_type": "single_choice", "options": [HOSTILE, "b"], "correct_answer": [0],
        "explanation": HOSTILE, "difficulty": HOSTILE,
    }  # fmt: skip
    QuizMetadata.objects.update(questions=[asks])
    desk = desk_of(operator)
    for address in (ROADMAPS, f"{ROADMAPS}{roadmap.pk}/change/", of(roadmap)):
        shown = desk.get(address).content.decode()
        assert "<script>alert" not in shown
        assert "<img" not in shown.replace('<img src="/static', "")
        assert not re.search(r'href="(?!https?://|/|\?|#)', shown)
    assert 'href="https://good.invalid/&lt;script&gt;" rel="noopener' in shown
    assert "{{ settings.SECRET_KEY }}" in html.unescape(shown)
