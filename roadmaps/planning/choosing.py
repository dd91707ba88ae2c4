"""Which concepts of a topic a learner of some level takes, and which of them when hours are few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from roadmaps.catalogue import CatalogueConcept, Topic
from roadmaps.choices import Difficulty, Level

FEWEST = 3  # concepts: one for each stage
SHARE_OF_BASICS = 3  # what is needed first takes a third of the hours at most
HARDNESS = {Difficulty.EASY.value: 0, Difficulty.MEDIUM.value: 1, Difficulty.HARD.value: 2}

Kept = dict[Topic, tuple[CatalogueConcept, ...]]


@dataclass(frozen=True)
class Choice:
    """The concepts that are learnt, of each topic in its order; what the level takes as known; what did not fit."""

    kept: Kept
    skipped: list[CatalogueConcept] = field(default_factory=list)
    dropped: list[CatalogueConcept] = field(default_factory=list)

    @property
    def hours(self) -> Decimal:
        """Of all that is kept."""
        return _hours(self.kept)

    def nearest(self, topic: Topic, concept: CatalogueConcept) -> list[str]:
        """The keys of what it needs; of what is not kept, what that needs."""
        return list(dict.fromkeys(_nearest(topic, concept, {each.key for each in self.kept[topic]})))


def choose(wanted: list[Topic], needed: list[Topic], level: str, budget: Decimal | None) -> Choice:
    """What the level leaves of the wanted topics and the basics of the needed ones, as far as the hours go.

    The hardest and latest goes first, and nothing that another kept concept needs. At least three concepts stay.
    """
    targets: Kept = {topic: tuple(each for each in topic.concepts if _of_level(topic, each, level)) for topic in wanted}
    basics: Kept = {topic: basics_of(topic) for topic in needed}
    skipped = [each for topic in wanted for each in topic.concepts if each not in targets[topic]]
    if budget is None:
        return Choice(basics | targets, skipped)
    fitted = _fitted(basics, budget / SHARE_OF_BASICS, fewest=0)
    fitted |= _fitted(targets, budget - _hours(fitted), fewest=FEWEST)
    if _hours(fitted) > budget:  # three concepts alone are too much: what they need first cannot be had as well
        fitted = {topic: concepts for topic, concepts in fitted.items() if topic in targets}
    dropped = [
        each for topic, concepts in (basics | targets).items() for each in concepts if each not in fitted.get(topic, ())
    ]
    return Choice({topic: concepts for topic, concepts in fitted.items() if concepts}, skipped, dropped)


def basics_of(topic: Topic) -> tuple[CatalogueConcept, ...]:
    """The easy concepts that need only easy ones."""
    easy: list[CatalogueConcept] = []
    for concept in topic.concepts:
        if concept.difficulty == Difficulty.EASY and set(concept.needs) <= {each.key for each in easy}:
            easy.append(concept)
    return tuple(easy)


def _of_level(topic: Topic, concept: CatalogueConcept, level: str) -> bool:
    if level == Level.BEGINNER or concept.difficulty != Difficulty.EASY:
        return True
    return level == Level.INTERMEDIATE and concept not in topic.modules[0].concepts


def _fitted(kept: Kept, budget: Decimal, *, fewest: int) -> Kept:
    """As many as fit: leaves are dropped from the topic with the most hours left, then small ones are taken back."""
    left = {topic: list(concepts) for topic, concepts in kept.items()}
    out: list[tuple[Topic, CatalogueConcept]] = []
    while _hours(left) > budget and sum(map(len, left.values())) > fewest:
        topic = max(left, key=lambda each: (_hours({each: left[each]}), each.key))
        leaf = max(
            _leaves(topic, left[topic]), key=lambda each: (HARDNESS[each.difficulty], topic.concepts.index(each))
        )
        left[topic].remove(leaf)
        out.append((topic, leaf))
    for topic, concept in reversed(out):
        there = {each.key for each in left[topic]}
        possible = {each.key for each in kept[topic]}
        if _hours(left) + concept.hours <= budget and there >= set(_nearest(topic, concept, possible)):
            left[topic].append(concept)
    return {topic: tuple(each for each in topic.concepts if each in concepts) for topic, concepts in left.items()}


def _leaves(topic: Topic, concepts: list[CatalogueConcept]) -> list[CatalogueConcept]:
    keys = {each.key for each in concepts}
    needed = {need for each in concepts for need in _nearest(topic, each, keys)}
    return [each for each in concepts if each.key not in needed]


def _nearest(topic: Topic, concept: CatalogueConcept, keys: set[str]) -> Iterator[str]:
    by_key = {each.key: each for each in topic.concepts}
    for need in concept.needs:
        if need in keys:
            yield need
        else:
            yield from _nearest(topic, by_key[need], keys)


def _hours(kept: dict[Topic, tuple[CatalogueConcept, ...]] | dict[Topic, list[CatalogueConcept]]) -> Decimal:
    return sum((concept.hours for concepts in kept.values() for concept in concepts), Decimal(0))
