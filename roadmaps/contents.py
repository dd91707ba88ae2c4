"""How each kind of content is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llm.prompts import Message, Purpose
from roadmaps import planner, prompts, storing
from roadmaps.choices import ContentKind
from roadmaps.contracts import ConceptDesign, Contract, Framework, Quiz, Resources, Tutorial
from roadmaps.models import RoadmapTask
from roadmaps.wishes import Wish


class Making(NamedTuple):
    """What its answers look like, what a model is asked, what the planner does without one, and where it is kept."""

    contract: type[Contract]
    purpose: Purpose
    ask: Callable[[Wish, Framework, ConceptDesign], list[Message]]
    plan: Callable[[Wish, Framework, ConceptDesign], Contract]
    keep: Callable[[RoadmapTask, str, Any, Mapping[str, Any]], bool]


def making_of(kind: ContentKind) -> Making:
    """The making of that kind."""
    if kind == ContentKind.TUTORIAL:
        return Making(Tutorial, prompts.TUTORIAL, prompts.tutorial, planner.tutorial, storing.store_tutorial)
    if kind == ContentKind.RESOURCES:
        return Making(Resources, prompts.RESOURCES, prompts.resources, planner.resources, storing.store_resources)
    return Making(Quiz, prompts.QUIZ, prompts.quiz, planner.quiz, storing.store_quiz)
