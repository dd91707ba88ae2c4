"""What learners do: tick off what they have learnt, and try quizzes. Everybody's own, also in a shared roadmap."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from access.services import record
from roadmaps.models import Concept, ConceptProgress, QuizAttempt, QuizMetadata, Roadmap
from runs.errors import Conflict
from runs.querysets import database_now
from runs.transactions import atomic_retried
from runs.upsert import upsert

MULTIPLE = "multiple_choice"
HUNDREDTH = Decimal("0.01")

Answers = Sequence[Sequence[int]]


def set_progress(concept: Concept, user: Any, completed: bool) -> ConceptProgress:
    """Note that `user` has learnt a concept, or has not. The same again changes nothing, not even the time."""

    def note() -> ConceptProgress:
        held = Concept.objects.select_for_update(no_key=True).get(pk=concept.pk)
        known = ConceptProgress.objects.filter(user=user, concept=held).first()
        if known is not None and known.is_completed == completed:
            return known
        values = {"is_completed": completed, "completed_at": database_now() if completed else None}
        row, _created = upsert(ConceptProgress, unique={"user_id": user.pk, "concept_id": held.pk}, values=values)
        before = {"completed": bool(known and known.is_completed)}
        record(actor=user, action="concept.progress", target=held, before=before, after={"completed": completed})
        return row

    return atomic_retried(note)


def progress_of(roadmap: Roadmap, user: Any) -> list[Any]:
    """The concepts of a roadmap as they are learnt, each with `learnt_at`: when `user` completed it, or None."""
    return list(Concept.objects.filter(roadmap=roadmap).with_progress_of(user).in_order())


def submit_quiz(quiz: QuizMetadata, answers: Answers, user: Any, *, seen: Any = None) -> QuizAttempt:
    """Score a try at a quiz and keep it with its questions.

    `answers` has for each question the places of the chosen options, counted from 0; none is a wrong answer. `seen` is
    the quiz's `updated_at` as the learner knew it: raises Conflict ("quiz-changed") when its questions are others now.
    Raises ValidationError for answers that do not fit the questions.
    """

    def keep() -> QuizAttempt:
        asked = QuizMetadata.objects.select_for_update(no_key=True).get(pk=quiz.pk)
        if seen is not None and seen != asked.updated_at:
            raise Conflict("quiz-changed", _("The questions were made anew; look at them first."))
        wrong = wrong_answers(asked.questions, answers)
        right = len(asked.questions) - len(wrong)
        attempt = QuizAttempt.objects.create(
            user=user,
            roadmap_id=asked.roadmap_id,
            concept_id=asked.concept_id,
            quiz=asked,
            questions=asked.questions,
            answers=[list(each) for each in answers],
            total_questions=len(asked.questions),
            correct_answers=right,
            score_percentage=(Decimal(100 * right) / len(asked.questions)).quantize(HUNDREDTH),
            incorrect_question_indices=wrong,
            generator_kind=asked.generator_kind,
            generator_name=asked.generator_name,
            generator_model=asked.generator_model,
        )
        after = {"score": attempt.score_percentage, "correct": right, "questions": attempt.total_questions}
        record(actor=user, action="quiz.attempted", target=attempt, after=after)
        return attempt

    return atomic_retried(keep)


def wrong_answers(questions: Sequence[dict[str, Any]], answers: Answers) -> list[int]:
    """The places of the questions that were not answered with just the right options.

    Raises ValidationError for answers that cannot be given to these questions.
    """
    if len(answers) != len(questions):
        message = _("There are %(questions)s questions and %(answers)s answers.")
        raise _refused(message % {"questions": len(questions), "answers": len(answers)})
    for number, (question, chosen) in enumerate(zip(questions, answers, strict=True), start=1):
        _check(number, question, chosen)
    return [
        place
        for place, (question, chosen) in enumerate(zip(questions, answers, strict=True))
        if sorted(chosen) != sorted(question["correct_answer"])
    ]


def _check(number: int, question: dict[str, Any], chosen: Sequence[int]) -> None:
    options = len(question["options"])
    if not all(0 <= each < options for each in chosen):
        message = _("Question %(number)s has the options 0 to %(last)s.")
        raise _refused(message % {"number": number, "last": options - 1})
    if len(set(chosen)) != len(chosen):
        raise _refused(_("Question %(number)s is answered with one option twice.") % {"number": number})
    if question["question_type"] != MULTIPLE and len(chosen) > 1:
        raise _refused(_("Question %(number)s has one answer.") % {"number": number})


def _refused(message: str) -> ValidationError:
    return ValidationError({"answers": ValidationError(message, code="invalid")})
