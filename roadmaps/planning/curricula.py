"""A tree for a wish: what comes first first, as much of it as fits the hours there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

from roadmaps.catalogue import CatalogueConcept, Topic, catalogue, prerequisites
from roadmaps.contracts import ConceptDesign, Framework, Intent, ModuleDesign, StageDesign
from roadmaps.planning.choosing import Choice, choose
from roadmaps.planning.finding import level_of, topics_of
from roadmaps.planning.intents import MOST_TOPICS, needed_topics
from roadmaps.planning.phrases import joined, listed, say, sentences
from roadmaps.planning.times import time_of
from roadmaps.wishes import Wish

FEWEST_STAGES = 3
FOUR_STAGES_FROM, FIVE_STAGES_FROM = 9, 13  # modules
MOST_NAMED, MOST_WEEKS = 12, 520
LONGEST_NAME = 255


@dataclass(frozen=True)
class Part:
    """A module of the tree to be: what is left of one of the catalogue, or the basics of a topic."""

    topic: Topic
    name: str
    about: str
    concepts: tuple[CatalogueConcept, ...]


def curriculum(wish: Wish, intent: Intent, *, today: date | None = None) -> Framework:
    """Stages, modules and concepts for the topics of an intent, within the hours of the wish."""
    wanted = (topics_of(" ; ".join(intent.key_technologies)) or topics_of(wish.query))[:MOST_TOPICS]
    budget = time_of(wish, today).budget
    choice = choose(wanted, needed_topics(wish, wanted), level_of(wish), budget)
    order = _in_order([*choice.kept])
    parts = _at_least([part for topic in order for part in _parts(topic, choice, wanted, wish.language)], wish.language)
    ids: dict[tuple[str, str], str] = {}
    stages = [
        _stage(number, stage, _words(len(stages_of(parts))), ids, choice, wish.language)
        for number, stage in enumerate(stages_of(parts), start=1)
    ]
    hours = choice.hours
    names = [topic.name(wish.language) for topic in wanted]
    return Framework(
        title=say(
            wish.language,
            "title",
            topics=joined(wish.language, names),
            level=say(wish.language, f"level.{level_of(wish)}"),
        )[:LONGEST_NAME],
        total_estimated_hours=hours,
        recommended_completion_weeks=weeks(hours, Decimal(wish.hours_per_week)),
        design_rationale=_rationale(wish.language, order, choice, budget),
        stages=stages,
    )


def weeks(hours: Decimal, weekly: Decimal) -> int:
    """How many weeks so many hours take, begun ones counted."""
    return min(MOST_WEEKS, max(1, int((hours / weekly).to_integral_value(ROUND_CEILING))))


def stages_of(parts: Sequence[Part]) -> list[Sequence[Part]]:
    """Three to five runs of modules, as even as can be."""
    many = len(parts)
    number = FEWEST_STAGES if many < FOUR_STAGES_FROM else 4 if many < FIVE_STAGES_FROM else 5
    bounds = [many * at // number for at in range(number + 1)]
    return [parts[start:end] for start, end in pairwise(bounds)]


def _in_order(topics: list[Topic]) -> list[Topic]:
    """Each topic after those it needs, else in the order in which they were named."""
    chosen = {topic.key: topic for topic in topics}
    found: dict[str, Topic] = {}
    for topic in topics:
        for each in (*prerequisites(topic, catalogue().by_key), topic):
            if each.key in chosen:
                found.setdefault(each.key, each)
    return list(found.values())


def _parts(topic: Topic, choice: Choice, wanted: list[Topic], language: str) -> list[Part]:
    kept = set(choice.kept[topic])
    if topic not in wanted:
        users = [each.name(language) for each in wanted if topic in prerequisites(each, catalogue().by_key)]
        name = say(language, "basics", topic=topic.name(language))
        about = say(language, "basics.about", wanted=joined(language, users))
        return [Part(topic, name, about, choice.kept[topic])]
    found = []
    for module in topic.modules:
        concepts = tuple(concept for concept in module.concepts if concept in kept)
        if concepts:
            found.append(Part(topic, module.name(language), "", concepts))
    return found


def _at_least(parts: list[Part], language: str) -> list[Part]:
    """The largest module in two, until every stage has one."""
    while len(parts) < FEWEST_STAGES:
        at = max(range(len(parts)), key=lambda place: (len(parts[place].concepts), -place))
        part, middle = parts[at], (len(parts[at].concepts) + 1) // 2
        halves = [
            replace(part, name=say(language, "part", name=part.name, number=number), concepts=concepts)
            for number, concepts in enumerate((part.concepts[:middle], part.concepts[middle:]), start=1)
        ]
        parts = [*parts[:at], *halves, *parts[at + 1 :]]
    return parts


def _words(stages: int) -> Sequence[str]:
    return {3: ("0", "1", "3"), 4: ("0", "1", "2", "3"), 5: ("0", "1", "2", "3", "4")}[stages]


def _stage(
    number: int,
    parts: Sequence[Part],
    words: Sequence[str],
    ids: dict[tuple[str, str], str],
    choice: Choice,
    language: str,
) -> StageDesign:
    topics = list(dict.fromkeys(part.topic.name(language) for part in parts))
    word = say(language, f"stage.{words[number - 1]}")
    modules = [_module(f"{number}-{place}", part, ids, choice, language) for place, part in enumerate(parts, start=1)]
    return StageDesign(
        stage_id=f"stage-{number}",
        name=say(language, "stage", word=word, topics=joined(language, topics))[:LONGEST_NAME],
        description=sentences(language, dict.fromkeys(part.topic.about(language) for part in parts)),
        order=number,
        modules=modules,
    )


def _module(place: str, part: Part, ids: dict[tuple[str, str], str], choice: Choice, language: str) -> ModuleDesign:
    """The module with its concepts, whose ids are noted for those that need them later."""
    designs = []
    for number, concept in enumerate(part.concepts, start=1):
        ids[part.topic.key, concept.key] = f"c-{place}-{number}"
        designs.append(
            ConceptDesign(
                concept_id=f"c-{place}-{number}",
                name=concept.name(language),
                description=concept.about(language),
                estimated_hours=concept.hours,
                difficulty=concept.difficulty,
                keywords=concept.keywords(language),
                prerequisites=[ids[part.topic.key, need] for need in choice.nearest(part.topic, concept)],
            )
        )
    return ModuleDesign(module_id=f"mod-{place}", name=part.name, description=part.about, concepts=designs)


def _rationale(language: str, order: list[Topic], choice: Choice, budget: Decimal | None) -> str:
    """How the tree came about, what it leaves out and whether it fits."""
    told = [say(language, "order", topics=listed(language, [topic.name(language) for topic in order]))]
    for key, names in (
        ("skipped", [concept.name(language) for concept in choice.skipped]),
        ("dropped", [concept.name(language) for concept in choice.dropped]),
    ):
        if names:
            more = ["…"] if len(names) > MOST_NAMED else []
            told.append(say(language, key, names=listed(language, names[:MOST_NAMED] + more), budget=budget))
    if budget is not None and choice.hours > budget:
        told.append(say(language, "too-short", hours=choice.hours, budget=budget))
    return sentences(language, told)
