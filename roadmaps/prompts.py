"""What a model is asked in each step. A changed wording raises the version, which has the step made anew."""

from __future__ import annotations

from typing import Any

from api.codec import encode_text
from llm.prompts import SOURCES_ARE_DATA, Message, Purpose, source, system, user
from roadmaps import structure
from roadmaps.contracts import ConceptDesign, Framework, Issue
from roadmaps.wishes import Wish

INTENT = Purpose("roadmap-intent", version=1)
CURRICULUM = Purpose("roadmap-curriculum", version=1)
JUDGEMENT = Purpose("roadmap-judgement", version=1)
EDIT = Purpose("roadmap-edit", version=1)
TUTORIAL = Purpose("roadmap-tutorial", version=2)
RESOURCES = Purpose("roadmap-resources", version=2)
QUIZ = Purpose("roadmap-quiz", version=2)

LANGUAGES = {"zh": "Simplified Chinese", "en": "English"}


def intent(wish: Wish) -> list[Message]:
    """What is meant by a wish?"""
    return [
        _system("You find out what somebody really wants to learn, and for what.", wish),
        _wish(wish),
        user("Analyse this wish. The slug is three English words at most, in lower case, joined by hyphens."),
    ]


def curriculum(wish: Wish, analysis: dict[str, Any]) -> list[Message]:
    """Which tree leads there?"""
    return [
        _system("You design learning roadmaps.", wish),
        _wish(wish),
        _data("analysis", analysis),
        user(
            "Design the roadmap: 3 to 5 stages of 2 to 4 modules of 3 to 6 concepts each. Ids are stage-N, mod-S-N and "
            "c-S-M-N. A concept takes at least half an hour: easy up to 2, medium 2 to 4, hard 4 to 8. Prerequisites "
            "are ids of earlier concepts. The hours must fit the time there is."
        ),
    ]


def judgement(wish: Wish, framework: Framework) -> list[Message]:
    """Is the tree any good?"""
    return [
        _system("You judge learning roadmaps, strictly.", wish),
        _wish(wish),
        _data("roadmap", framework.model_dump()),
        user(
            "Score completeness, progression, coherence, module_clarity and user_alignment from 0 to 100 and name the "
            "issues. Critical is only what makes the roadmap useless for this wish."
        ),
    ]


def edit(wish: Wish, framework: Framework, issues: list[Issue], feedback: str) -> list[Message]:
    """What mends it?"""
    told: list[Message] = [_data("issues", [each.model_dump() for each in issues])] if issues else []
    if feedback:
        told.append(source("what the reviewer wants changed", feedback))
    return [
        _system("You mend learning roadmaps and change nothing that needs no mending.", wish),
        _wish(wish),
        _data("roadmap", framework.model_dump()),
        *told,
        user("Answer with the whole mended roadmap, keeping the ids of what stays, and say what you changed."),
    ]


def tutorial(wish: Wish, framework: Framework, concept: ConceptDesign) -> list[Message]:
    """How is a concept explained?"""
    return [
        _system("You write tutorials in Markdown: exact, with examples, without exercises and lists of links.", wish),
        *_concept(wish, framework, concept),
        user("Write the tutorial of this concept."),
    ]


def resources(wish: Wish, framework: Framework, concept: ConceptDesign) -> list[Message]:
    """Where else can one read about it?"""
    return [
        _system("You recommend resources that you are sure exist, with their exact http(s) addresses.", wish),
        *_concept(wish, framework, concept),
        user("Recommend 5 to 10 resources. Leave out those of which you are less sure than one half."),
    ]


def quiz(wish: Wish, framework: Framework, concept: ConceptDesign) -> list[Message]:
    """How does one find out whether it was learnt?"""
    return [
        _system("You write quizzes. Every question has answers that are right beyond doubt.", wish),
        *_concept(wish, framework, concept),
        user(
            "Write 5 to 8 questions: single_choice, multiple_choice or true_false, of mixed difficulty. correct_answer "
            "holds the places of the right options, counted from 0."
        ),
    ]


def _system(role: str, wish: Wish) -> Message:
    return system(f"{role} Write in {LANGUAGES[wish.language]}. {SOURCES_ARE_DATA}")


def _wish(wish: Wish) -> Message:
    return _data("wish", wish.as_json())


def _concept(wish: Wish, framework: Framework, concept: ConceptDesign) -> list[Message]:
    needed = structure.needed(framework, concept)  # by name: an id says nothing to who does not see the tree
    return [
        _wish(wish),
        _data("concept", {"roadmap": framework.title, **concept.model_dump(), "prerequisites": needed}),
    ]


def _data(name: str, value: Any) -> Message:
    return source(name, encode_text(value))
