"""What every answer has to look like before a step stores it, whoever gave it: a model, or the planner without one.

The counts of stages, modules and concepts are advice to a model and bounds only where a tree would make no sense;
document 004 and its code are the source of the rest (reference: domain, section 4).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, model_validator

MOST_STAGES, MOST_MODULES, MOST_CONCEPTS = 8, 8, 12  # of each parent
FEWEST_QUESTIONS, MOST_QUESTIONS = 5, 8
MOST_RESOURCES = 10

STAGE_ID, MODULE_ID, CONCEPT_ID = r"^stage-\d+$", r"^mod-\d+-\d+$", r"^c-\d+-\d+-\d+$"

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Hours = Annotated[Decimal, Field(ge=Decimal("0.5"), le=200, max_digits=5, decimal_places=1)]
DifficultyWord = Literal["easy", "medium", "hard"]
_http = TypeAdapter(HttpUrl)


class Contract(BaseModel):
    """Nothing that is not asked for is taken."""

    model_config = ConfigDict(extra="forbid")


class FormatWeights(Contract):
    """How much of each format suits the learner; together 1."""

    visual: float = Field(ge=0, le=1)
    text: float = Field(ge=0, le=1)
    audio: float = Field(ge=0, le=1)
    hands_on: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _sums_to_one(self) -> FormatWeights:
        if abs(self.visual + self.text + self.audio + self.hands_on - 1) > 0.01:
            raise ValueError("the weights must sum to 1")
        return self


class LanguagePreferences(Contract):
    """In which languages resources are wanted."""

    primary_language: str = Field(min_length=2, max_length=16)
    secondary_language: str | None = None
    resource_ratio: dict[str, float] | None = None


class Intent(Contract):
    """What a wish is understood to be."""

    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,5}$", max_length=60, description="English, for the id")
    parsed_goal: Text
    key_technologies: list[Name] = Field(min_length=1, max_length=20)
    difficulty_profile: Text
    time_constraint: Text
    recommended_focus: list[Name] = Field(default_factory=list, max_length=20)
    user_profile_summary: str | None = None
    skill_gap_analysis: list[Text] | None = None
    personalized_suggestions: list[Text] | None = None
    estimated_learning_path_type: Literal["quick_start", "deep_dive", "career_transition", "skill_upgrade"]
    content_format_weights: FormatWeights | None = None
    language_preferences: LanguagePreferences | None = None


class ConceptDesign(Contract):
    """One thing to learn."""

    concept_id: str = Field(pattern=CONCEPT_ID, max_length=32)
    name: Name
    description: Text
    estimated_hours: Hours
    difficulty: DifficultyWord
    keywords: list[Name] = Field(default_factory=list, max_length=20)
    prerequisites: list[str] = Field(default_factory=list, max_length=20, description="ids of concepts")


class ModuleDesign(Contract):
    """Concepts that belong together."""

    module_id: str = Field(pattern=MODULE_ID, max_length=32)
    name: Name
    description: str = Field(default="", max_length=2_000)
    concepts: list[ConceptDesign] = Field(default_factory=list, max_length=MOST_CONCEPTS)  # emptiness: structure.py


class StageDesign(Contract):
    """A part of the way."""

    stage_id: str = Field(pattern=STAGE_ID, max_length=32)
    name: Name
    description: str = Field(default="", max_length=2_000)
    order: int = Field(ge=1)
    modules: list[ModuleDesign] = Field(default_factory=list, max_length=MOST_MODULES)


class Framework(Contract):
    """The tree. Whether it is sound (ids once, prerequisites there, no cycle, nothing empty) says structure.py."""

    title: Name
    total_estimated_hours: Decimal = Field(gt=0, max_digits=7, decimal_places=1)
    recommended_completion_weeks: int = Field(ge=1, le=520)
    design_rationale: str = Field(default="", max_length=4_000)
    stages: list[StageDesign] = Field(min_length=1, max_length=MOST_STAGES)


class Issue(Contract):
    """A fault of a structure."""

    severity: Literal["critical", "warning"]
    category: Literal["knowledge_gap", "structural_flaw", "user_mismatch"]
    location: str = Field(max_length=255)
    issue: Text
    suggestion: str = Field(default="", max_length=2_000)


class DimensionScores(Contract):
    """The soft part of a check, 0 to 100 each."""

    completeness: int = Field(ge=0, le=100)
    progression: int = Field(ge=0, le=100)
    coherence: int = Field(ge=0, le=100)
    module_clarity: int = Field(ge=0, le=100)
    user_alignment: int = Field(ge=0, le=100)


class Judgement(Contract):
    """What a model says of a structure that passed the hard checks."""

    scores: DimensionScores
    issues: list[Issue] = Field(default_factory=list, max_length=50)
    summary: str = Field(default="", max_length=4_000)


class Edit(Contract):
    """A mended tree."""

    framework: Framework
    modification_summary: Text


class Tutorial(Contract):
    """A concept explained, in Markdown, without exercises and resources."""

    title: Name
    summary: str = Field(default="", max_length=500)
    content: str = Field(min_length=1, max_length=200_000)
    estimated_completion_time: int = Field(ge=1, le=10_000, description="minutes")


def _with_http(url: str) -> str:
    _http.validate_python(url)
    if not re.match(r"https?://", url, re.I):
        raise ValueError("a link must begin with http:// or https://")
    return url


class Resource(Contract):
    """Something to read or watch."""

    title: Name
    url: Annotated[str, Field(max_length=2_000), AfterValidator(_with_http)]
    type: Literal["article", "video", "book", "course", "documentation", "tool"]
    description: str = Field(default="", max_length=2_000)
    relevance_score: float = Field(ge=0, le=1)
    confidence_score: float | None = Field(default=None, ge=0, le=1)
    language: str = Field(default="", max_length=16)


class Resources(Contract):
    """What else there is on a concept."""

    resources: list[Resource] = Field(max_length=MOST_RESOURCES)
    search_queries_used: list[Name] = Field(default_factory=list, max_length=20)


class Question(Contract):
    """A question with its options and the places of the right ones."""

    question: Text
    question_type: Literal["single_choice", "multiple_choice", "true_false"]
    options: list[Name] = Field(min_length=2, max_length=8)
    correct_answer: list[int] = Field(min_length=1)
    explanation: str = Field(default="", max_length=2_000)
    difficulty: DifficultyWord

    @model_validator(mode="after")
    def _answers_are_options(self) -> Question:
        if len(set(self.options)) != len(self.options):
            raise ValueError("an option comes twice")
        if len(set(self.correct_answer)) != len(self.correct_answer):
            raise ValueError("an answer comes twice")
        if not all(0 <= each < len(self.options) for each in self.correct_answer):
            raise ValueError("an answer is the place of an option, counted from 0")
        if self.question_type == "multiple_choice" and len(self.correct_answer) < 2:
            raise ValueError("multiple_choice needs at least two right answers")
        if self.question_type != "multiple_choice" and len(self.correct_answer) != 1:
            raise ValueError(f"{self.question_type} has exactly one right answer")
        if self.question_type == "true_false" and len(self.options) != 2:
            raise ValueError("true_false has two options")
        return self


class Quiz(Contract):
    """Questions about a concept."""

    questions: list[Question] = Field(min_length=FEWEST_QUESTIONS, max_length=MOST_QUESTIONS)
