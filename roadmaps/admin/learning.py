"""What the page of a concept shows of learning: the quiz as a form, earlier tries, whether it is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.safestring import SafeString

from roadmaps.admin.trees import difficulty_badge
from roadmaps.models import Concept, ConceptProgress, QuizAttempt, QuizMetadata

TRIES_SHOWN = 5
MOST_OPTIONS = 100
MULTIPLE = "multiple_choice"


@dataclass(frozen=True)
class Option:
    """One answer to choose."""

    place: int
    text: str
    is_chosen: bool
    is_right: bool


@dataclass(frozen=True)
class Question:
    """A question as the form asks it, or as a try answered it."""

    name: str  # of its fields
    text: str
    is_multiple: bool
    difficulty: SafeString
    options: list[Option]
    is_correct: bool
    explanation: str


def questions_of(questions: Sequence[Any], answers: Sequence[Sequence[int]] | None = None) -> list[Question]:
    """The questions of a quiz, or of a try with what was chosen."""
    return [
        _question(place, asked, answers[place] if answers and place < len(answers) else [])
        for place, asked in enumerate(questions)
    ]


def _question(place: int, asked: dict[str, Any], chosen: Sequence[int]) -> Question:
    right = asked["correct_answer"]
    return Question(
        name=f"q{place}",
        text=asked["question"],
        is_multiple=asked["question_type"] == MULTIPLE,
        difficulty=difficulty_badge(asked["difficulty"]),
        options=[
            Option(number, text, number in chosen, number in right) for number, text in enumerate(asked["options"])
        ],
        is_correct=sorted(chosen) == sorted(right),
        explanation=asked.get("explanation", ""),
    )


def answers_in(form: QueryDict, quiz: QuizMetadata) -> list[list[int]]:
    """What was chosen, question by question; what is no number is no answer."""
    return [list(_numbers(form.getlist(f"q{place}"))) for place in range(len(quiz.questions))]


def _numbers(texts: Sequence[str]) -> Iterator[int]:
    for text in texts[:MOST_OPTIONS]:
        if text.isascii() and text.isdecimal() and len(text) < 4:
            yield int(text)


def tries_of(concept: Concept, user: Any) -> list[QuizAttempt]:
    """The user's own, newest first."""
    mine = QuizAttempt.objects.filter(user=user, roadmap=concept.roadmap_id, concept_id=concept.concept_id)
    return list(mine.defer("questions", "answers").order_by("-id")[:TRIES_SHOWN])


def try_of(concept: Concept, user: Any, asked: str) -> QuizAttempt | None:
    """One of the user's own, by its id in the address."""
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
        return None
    mine = QuizAttempt.objects.filter(user=user, roadmap=concept.roadmap_id, concept_id=concept.concept_id)
    return mine.filter(pk=int(asked)).first()


def learnt_by(user: Any, roadmap_id: str) -> set[int]:
    """Keys of the concepts of a roadmap that this user has learnt."""
    done = ConceptProgress.objects.filter(user=user, concept__roadmap=roadmap_id, is_completed=True)
    return set(done.values_list("concept", flat=True))
