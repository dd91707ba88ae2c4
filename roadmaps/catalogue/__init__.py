"""The bundled catalogue: what can be learnt without a language model, and in which order.

One TOML file per topic in topics/. A term between asterisks in a description is one of its keywords, so that every
keyword stands in a sentence that can be asked about. Concepts follow what they need; that keeps them free of cycles.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from llm.rules.sentences import split
from roadmaps.contracts import DifficultyWord, Resource

LANGUAGES = ("en", "zh")
MARKED = re.compile(r"\*([^*]+)\*")
FEWEST_CONCEPTS, FEWEST_KEYWORDS = 6, 2
MOST_MODULES, MOST_IN_MODULE = 6, 6


def _marks_in_pairs(text: str) -> str:
    if text.count("*") % 2 or len(set(MARKED.findall(text))) < FEWEST_KEYWORDS:
        raise ValueError(f"at least {FEWEST_KEYWORDS} terms are marked with a pair of asterisks each")
    return text


Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Short = Annotated[str, Field(min_length=1, max_length=120)]
Long = Annotated[str, Field(min_length=10, max_length=1_000)]
Marked = Annotated[Long, AfterValidator(_marks_in_pairs)]


class Entry(BaseModel):
    """A part of the catalogue. A field that is not known is a slip of the pen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Entry):
    """Whatever has a name in both languages."""

    en: Short
    zh: Short

    def name(self, language: str) -> str:
        """In that language."""
        return self.zh if language == "zh" else self.en


class CatalogueConcept(Named):
    """One thing to learn. `needs` are earlier concepts of the same topic."""

    key: Key
    hours: Annotated[Decimal, Field(ge=Decimal("0.5"), le=8, multiple_of=Decimal("0.5"))]
    difficulty: DifficultyWord
    needs: tuple[str, ...] = ()
    about_en: Marked
    about_zh: Marked

    def about(self, language: str) -> str:
        """What it is, without the marks."""
        return MARKED.sub(r"\1", self._marked(language))

    def keywords(self, language: str) -> list[str]:
        """The marked terms, each once, in order."""
        return list(dict.fromkeys(MARKED.findall(self._marked(language))))

    def sentences(self, language: str) -> list[str]:
        """The description sentence by sentence."""
        return list(split(self.about(language)))

    def _marked(self, language: str) -> str:
        return self.about_zh if language == "zh" else self.about_en


class CatalogueModule(Named):
    """Concepts that belong together."""

    concepts: Annotated[tuple[CatalogueConcept, ...], Field(min_length=1, max_length=MOST_IN_MODULE)]


class CatalogueResource(Entry):
    """Something to read or watch that has stayed at its address."""

    title: Short
    url: str
    type: Literal["article", "video", "book", "course", "documentation", "tool"]
    language: Literal["en", "zh"] = "en"

    @model_validator(mode="after")
    def _can_be_recommended(self) -> CatalogueResource:
        Resource(title=self.title, url=self.url, type=self.type, relevance_score=0, language=self.language)
        return self


class Topic(Named):
    """Something people want to learn. `needs` are topics whose basics come first; a vague name ("database") means the
    topic only where nothing is named that is surer."""

    key: Key
    area: Key
    aliases: tuple[Short, ...]
    vague: tuple[Short, ...] = ()
    about_en: Long
    about_zh: Long
    level: Literal["beginner", "intermediate", "advanced"]
    needs: tuple[str, ...] = ()
    modules: Annotated[tuple[CatalogueModule, ...], Field(min_length=2, max_length=MOST_MODULES)]
    resources: Annotated[tuple[CatalogueResource, ...], Field(min_length=3, max_length=6)]

    def about(self, language: str) -> str:
        """What it is."""
        return self.about_zh if language == "zh" else self.about_en

    def __hash__(self) -> int:
        return hash(self.key)  # one topic of the catalogue; hashing all of its text would take its time

    @cached_property
    def concepts(self) -> tuple[CatalogueConcept, ...]:
        """All of them, in the order in which they are learnt."""
        return tuple(concept for module in self.modules for concept in module.concepts)

    @model_validator(mode="after")
    def _in_order(self) -> Topic:
        seen: set[str] = set()
        for concept in (concept for module in self.modules for concept in module.concepts):
            if concept.key in seen:
                raise ValueError(f"{self.key}: {concept.key} comes twice")
            if missing := set(concept.needs) - seen:
                raise ValueError(f"{self.key}: {concept.key} comes before what it needs: {sorted(missing)}")
            seen.add(concept.key)
        if len(seen) < FEWEST_CONCEPTS:
            raise ValueError(f"{self.key}: fewer than {FEWEST_CONCEPTS} concepts")
        return self


class Catalogue(Entry):
    """All topics, each after those it needs."""

    topics: tuple[Topic, ...]

    @cached_property
    def by_key(self) -> dict[str, Topic]:
        """The topic of each key."""
        return {topic.key: topic for topic in self.topics}

    @model_validator(mode="after")
    def _closed_and_free_of_cycles(self) -> Catalogue:
        by_key = {topic.key: topic for topic in self.topics}
        if len(by_key) < len(self.topics):
            raise ValueError("a key of a topic comes twice")
        for topic in self.topics:
            if missing := set(topic.needs) - by_key.keys():
                raise ValueError(f"{topic.key} needs topics that are not there: {sorted(missing)}")
            if topic.key in {each.key for each in prerequisites(topic, by_key)}:
                raise ValueError(f"{topic.key} needs itself")
        return self


@dataclass(frozen=True)
class Place:
    """Where a concept stands in the catalogue."""

    topic: Topic
    module: CatalogueModule
    concept: CatalogueConcept


@cache
def catalogue() -> Catalogue:
    """The one catalogue, read once. Raises pydantic's ValidationError when a file is not sound."""
    return read({entry.name: entry.read_text("utf-8") for entry in files(__name__).joinpath("topics").iterdir()})


def read(texts: dict[str, str]) -> Catalogue:
    """A catalogue of these files: name of the file → its text."""
    topics: list[dict[str, Any]] = []
    for name in sorted(texts):
        if name.endswith(".toml"):
            topics.append({"key": name.removesuffix(".toml"), **tomllib.loads(texts[name], parse_float=Decimal)})
    return Catalogue.model_validate({"topics": topics})


def prerequisites(topic: Topic, by_key: dict[str, Topic]) -> list[Topic]:
    """What comes before a topic, each after what it needs itself. Of a cycle the topic itself is a part."""
    found: dict[str, Topic] = {}
    _collect(topic, by_key, found, set())
    return list(found.values())


def _collect(topic: Topic, by_key: dict[str, Topic], found: dict[str, Topic], entered: set[str]) -> None:
    for key in topic.needs:
        if key not in entered:
            entered.add(key)
            _collect(by_key[key], by_key, found, entered)
            found[key] = by_key[key]


@cache
def places() -> dict[tuple[str, str], Place]:
    """Where each concept stands, by its name and its description, in either language."""
    return {
        (place.concept.name(language), place.concept.about(language)): place
        for place in all_places()
        for language in LANGUAGES
    }


def all_places() -> Iterator[Place]:
    """Every concept of every topic."""
    for topic in catalogue().topics:
        for module in topic.modules:
            for concept in module.concepts:
                yield Place(topic, module, concept)
