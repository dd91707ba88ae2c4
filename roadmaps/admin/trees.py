"""The tree of a roadmap as pages show it, and the matrix of its contents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from desk.badges import Tone, badge
from roadmaps.admin.links import concept_url
from roadmaps.choices import ContentKind, ContentStatus, Difficulty
from roadmaps.models import Concept, RoadmapTask

CONTENT_TONES: dict[str, Tone] = {
    ContentStatus.PENDING: "neutral",
    ContentStatus.GENERATING: "info",
    ContentStatus.COMPLETED: "ok",
    ContentStatus.FAILED: "danger",
}


@dataclass(frozen=True)
class Cell:
    """One content of one concept."""

    kind: str
    label: Any
    status: str
    error: str

    @property
    def mark(self) -> SafeString:
        """Where it stands, in words."""
        return badge(ContentStatus(self.status).label, CONTENT_TONES[self.status])


@dataclass(frozen=True)
class Row:
    """One concept with its contents."""

    concept: Concept
    url: str
    cells: list[Cell]
    is_learnt: bool = False

    @property
    def difficulty(self) -> SafeString:
        """How hard it is, in words."""
        return difficulty_badge(self.concept.difficulty)


@dataclass(frozen=True)
class Leaf:
    """A concept in a tree: what the design says, and the row of its contents where there is one."""

    design: Mapping[str, Any]
    row: Row | None
    prerequisites: list[tuple[str, str]]  # (id, name)

    @property
    def difficulty(self) -> SafeString:
        """How hard it is, in words."""
        return difficulty_badge(str(self.design.get("difficulty", "")))


@dataclass(frozen=True)
class Module:
    """Concepts that belong together."""

    design: Mapping[str, Any]
    leaves: list[Leaf]


@dataclass(frozen=True)
class Stage:
    """A part of the way."""

    design: Mapping[str, Any]
    modules: list[Module]


def difficulty_badge(difficulty: str) -> SafeString:
    """Easy, medium or hard; a word of neither is shown as it is."""
    label = Difficulty(difficulty).label if difficulty in Difficulty.values else difficulty
    return badge(label)


def rows_of(
    concepts: Iterable[Concept], *, is_writing: bool, learnt: Collection[int] = (), reasons: Mapping[str, str] = {}
) -> list[Row]:
    """Concept × kind. What is pending is being written while its task is at the contents; `reasons` are what an
    attempt said of a failure, by "kind:concept"."""
    return [
        Row(
            concept,
            concept_url(concept.roadmap_id, concept.concept_id),
            list(_cells(concept, is_writing, reasons)),
            concept.pk in learnt,
        )
        for concept in concepts
    ]


def _cells(concept: Concept, is_writing: bool, reasons: Mapping[str, str]) -> Iterator[Cell]:
    for kind in ContentKind:
        status = str(getattr(concept, f"{kind}_status"))
        if status == ContentStatus.PENDING and is_writing:
            status = ContentStatus.GENERATING.value
        error = ""
        if slug := getattr(concept, f"{kind}_error"):
            said = reasons.get(f"{kind}:{concept.concept_id}", "")
            error = f"{RoadmapTask.error_in_words(slug)}: {said}" if said else str(RoadmapTask.error_in_words(slug))
        yield Cell(kind.value, kind.label, status, error)


def states_of(concepts: Iterable[Concept]) -> dict[str, dict[str, str]]:
    """Concept → kind → status, of rows that were read already."""
    return {
        concept.concept_id: {kind.value: getattr(concept, f"{kind}_status") for kind in ContentKind}
        for concept in concepts
    }


def tree_of(framework: Mapping[str, Any], rows: Iterable[Row] = ()) -> list[Stage]:
    """Stages with their modules and concepts. Where a tree is not accepted yet there may be no rows."""
    by_id = {row.concept.concept_id: row for row in rows}
    stages = framework.get("stages", [])
    names = {
        concept["concept_id"]: concept["name"]
        for stage in stages
        for module in stage["modules"]
        for concept in module["concepts"]
    }
    return [
        Stage(
            stage,
            [
                Module(module, [_leaf(concept, by_id, names) for concept in module["concepts"]])
                for module in stage["modules"]
            ],
        )
        for stage in stages
    ]


def _leaf(design: Mapping[str, Any], rows: Mapping[str, Row], names: Mapping[str, str]) -> Leaf:
    needed = [(each, names.get(each, each)) for each in design.get("prerequisites", [])]
    return Leaf(design, rows.get(design["concept_id"]), needed)
