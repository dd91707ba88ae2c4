"""What learners do: ticked off once, scored exactly, kept with what they were asked."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

import workshop
from access.models import AuditEvent
from documents import all_at_once
from roadmaps.learning import set_progress, submit_quiz, wrong_answers
from roadmaps.models import Concept, ConceptProgress, QuizAttempt, QuizMetadata
from runs.errors import Conflict
from runs.querysets import ClockTimestamp

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "/api/v1/roadmaps/{}/concepts/c-1-1-1"


@pytest.fixture
def api(operator, client_of):
    return client_of(operator)


@pytest.fixture
def made(operator):
    return workshop.roadmap(operator)


def quiz_of(made):
    return QuizMetadata.objects.get(roadmap_id=made.pk, concept_id="c-1-1-1")


def actions():
    return list(
        AuditEvent.objects.filter(action__in=("concept.progress", "quiz.attempted")).values_list("action", flat=True)
    )


# --- Progress ------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing_and_back_again_takes_the_time_away(operator, made):
    concept = Concept.objects.get(roadmap=made, concept_id="c-1-1-1")
    set_progress(concept, operator, False)
    assert (workshop.learnt(operator, made).is_completed, actions()) == (False, ["concept.progress"])
    first = set_progress(concept, operator, True)
    assert set_progress(concept, operator, True).completed_at == first.completed_at
    assert workshop.learnt(operator, made).completed_at == first.completed_at
    assert len(actions()) == 2
    assert set_progress(concept, operator, False).completed_at is None
    assert ConceptProgress.objects.count() == 1


def test_ten_at_once_are_one_row_and_one_event(operator, made):
    concept = Concept.objects.get(roadmap=made, concept_id="c-1-1-1")
    rows = all_at_once(*(lambda: set_progress(concept, operator, True) for _ in range(10)))
    assert len({row.pk for row in rows}) == 1
    assert len({row.completed_at for row in rows}) == 1
    assert len(actions()) == 1


@pytest.mark.parametrize("body", [{}, {"isCompleted": None}, {"isCompleted": "perhaps"}, {"completed": True}, []])
def test_a_tick_that_is_none_is_refused(api, made, body):
    answer = api.put(f"{HERE.format(made.pk)}/progress", body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


# --- Scoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ([[1], [0, 2], [0]], []),
        ([[1], [2, 0], [0]], []),
        ([[0], [0, 2], [0]], [0]),
        ([[1], [0], [0]], [1]),
        ([[1], [0, 1, 2], [0]], [1]),
        ([[], [], []], [0, 1, 2]),
    ],
)
def test_an_answer_is_right_when_it_is_just_the_right_options(answers, wrong):
    assert wrong_answers(workshop.QUESTIONS, answers) == wrong


@pytest.mark.parametrize(
    "answers",
    [[], [[1]], [[1], [0, 2], [0], [0]], [[3], [0, 2], [0]], [[1], [0, 0], [0]], [[0, 1], [0, 2], [0]], [[-1], [], []]],
)
def test_answers_that_fit_no_question_are_refused_and_not_kept(operator, made, answers):
    with pytest.raises(ValidationError) as refusal:
        submit_quiz(quiz_of(made), answers, operator)
    assert list(refusal.value.message_dict) == ["answers"]
    assert not QuizAttempt.objects.exists()


@pytest.mark.parametrize(
    "body",
    [{}, {"answers": None}, {"answers": "1"}, {"answers": [1, [0, 2], [0]]}, {"answers": [["b"], [], []]},
     {"answers": [[True], [], []]}, {"answers": [[9], [], []]}, {"answers": [[]] * 9}, {"answers": [[0]]},
     {"answers": [[], [], []], "score": 100}, {"answers": [[], [], []], "quizUpdatedAt": "yesterday"}],
)  # fmt: skip
def test_a_body_without_fitting_answers_is_pointed_at(api, made, body):
    answer = api.post(f"{HERE.format(made.pk)}/quiz-attempts", body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json"), answer.content
    assert not QuizAttempt.objects.exists()


def test_a_try_is_scored_kept_with_its_questions_and_on_record(operator, made):
    attempt = submit_quiz(quiz_of(made), [[1], [0], [0]], operator)
    kept = QuizAttempt.objects.get()
    assert (kept.correct_answers, kept.total_questions, kept.score_percentage) == (2, 3, Decimal("66.67"))
    assert (kept.incorrect_question_indices, kept.answers) == ([1], [[1], [0], [0]])
    assert kept.questions == workshop.QUESTIONS
    assert (kept.generator_kind, kept.generator_name) == ("rules", "rules-planner/2")
    assert AuditEvent.objects.get(action="quiz.attempted").object_id == str(attempt.pk)


def test_a_try_outlives_the_questions_that_replace_its_own(api, made):
    here = HERE.format(made.pk)
    first = api.post(f"{here}/quiz-attempts", {"answers": [[1], [0, 2], [0]]}).json()
    QuizMetadata.objects.filter(concept_id="c-1-1-1").update(
        questions=[workshop.QUESTIONS[2]] * 3, updated_at=ClockTimestamp()
    )
    assert api.get(f"{here}/quiz-attempts").json()["attempts"] == [first]
    assert first["questions"] == workshop.QUESTIONS


def test_answers_to_questions_that_were_replaced_are_refused(api, made, operator):
    here = HERE.format(made.pk)
    seen = api.get(here).json()["quiz"]["updatedAt"]
    wish = {"answers": [[1], [0, 2], [0]], "quizUpdatedAt": seen}
    assert api.post(f"{here}/quiz-attempts", wish).status_code == 201
    QuizMetadata.objects.filter(concept_id="c-1-1-1").update(updated_at=ClockTimestamp())
    answer = api.post(f"{here}/quiz-attempts", wish)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/quiz-changed")
    with pytest.raises(Conflict):
        submit_quiz(quiz_of(made), wish["answers"], operator, seen="2020-01-01")


def test_a_try_sent_again_with_its_key_is_one_try(api, made):
    key = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    path = f"{HERE.format(made.pk)}/quiz-attempts"
    first, again = (api.post(path, {"answers": [[], [], []]}, **key) for _ in "ab")
    assert (first.status_code, again.content) == (201, first.content)
    assert QuizAttempt.objects.count() == 1


def test_a_concept_without_a_quiz_takes_no_answers(api, operator):
    bare = workshop.roadmap(operator, contents=False)
    answer = api.post(f"{HERE.format(bare.pk)}/quiz-attempts", {"answers": []})
    assert (answer.status_code, answer.json()["detail"]) == (404, "This concept has no quiz yet.")


# --- What a learner is shown ---------------------------------------------------------------------


def test_what_is_right_is_told_after_a_try_or_when_asked_for(api, made):
    here = HERE.format(made.pk)

    def shown(**asked):
        quiz = api.get(here, asked).json()["quiz"]
        told = {name for each in quiz["questions"] for name in each} & {"correct_answer", "explanation"}
        assert quiz["withAnswers"] is bool(told)
        return told

    assert shown() == shown(withAnswers="false") == set()
    assert b"two are" not in api.get(here).content
    assert shown(withAnswers="true") == {"correct_answer", "explanation"}
    api.post(f"{here}/quiz-attempts", {"answers": [[], [], []]})
    assert shown() == {"correct_answer", "explanation"}
    # other questions are as unknown as the first ones were
    QuizMetadata.objects.filter(concept_id="c-1-1-1").update(updated_at=ClockTimestamp())
    assert shown() == set()


def test_tries_are_listed_newest_first_in_pages(api, made):
    path = f"{HERE.format(made.pk)}/quiz-attempts"
    ids = [api.post(path, {"answers": [[], [], []]}).json()["id"] for _ in range(3)]
    first = api.get(path, {"cursor": "", "pageSize": 2}).json()
    assert [each["id"] for each in first["attempts"]] == ids[:0:-1]
    rest = api.get(path, {"cursor": first["nextCursor"], "pageSize": 2}).json()
    assert ([each["id"] for each in rest["attempts"]], rest["nextCursor"]) == ([ids[0]], None)
    assert api.get(path).json()["total"] == 3
