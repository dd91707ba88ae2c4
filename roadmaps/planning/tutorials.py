"""What there is to read on a concept: an outline in the catalogue's own sentences, and the catalogue's resources."""

from __future__ import annotations

from llm.rules.scripts import tokens
from roadmaps.catalogue import CatalogueResource, Topic, places
from roadmaps.contracts import (
    MOST_RESOURCES,
    ConceptDesign,
    Framework,
    ModuleDesign,
    Resource,
    Resources,
    StageDesign,
    Tutorial,
)
from roadmaps.planning.finding import topics_of
from roadmaps.planning.phrases import listed, say
from roadmaps.structure import concepts, needed
from roadmaps.wishes import Wish

MOST_TERMS, LONGEST_SUMMARY = 3, 500
OF_TOPIC, OF_WORDS, OF_LANGUAGE = 0.5, 0.4, 0.1  # what a resource's score is made of; together 1


def tutorial(wish: Wish, framework: Framework, concept: ConceptDesign) -> Tutorial:
    """An outline that says it is one: the description, the terms, what comes before and after, what to try."""
    language = wish.language
    is_known = (concept.name, concept.description) in places()
    sections = {
        "tutorial.what": concept.description,
        "tutorial.terms": _bullets(concept.keywords),
        "tutorial.before": _before(framework, concept, language),
        "tutorial.fits": _fits(framework, concept, language),
        "tutorial.try": _to_try(framework, concept, language),
    }
    notice = say(language, "notice" if is_known else "notice.own")
    content = "\n\n".join(
        [
            f"# {concept.name}",
            f"> {notice}",
            *(f"## {say(language, key)}\n\n{text}" for key, text in sections.items() if text),
        ]
    )
    return Tutorial(
        title=concept.name,
        summary=concept.description[:LONGEST_SUMMARY],
        content=f"{content}\n",
        estimated_completion_time=max(1, int(concept.estimated_hours * 60)),
    )


def resources(wish: Wish, framework: Framework, concept: ConceptDesign) -> Resources:
    """What the catalogue names for the concept's topic, the nearest first. Nothing is searched for.

    Half of a score is the topic itself, the rest how many words of the title the concept shares, and the language.
    """
    found = [
        Resource(
            title=resource.title,
            url=resource.url,
            type=resource.type,
            relevance_score=_score(resource, topic, concept, wish.language),
            language=resource.language,
        )
        for topic in _topics(framework, concept)
        for resource in topic.resources
    ]
    by_url = {resource.url: resource for resource in found}
    ranked = sorted(by_url.values(), key=lambda resource: (-resource.relevance_score, resource.url))
    return Resources(resources=ranked[:MOST_RESOURCES])


def _topics(framework: Framework, concept: ConceptDesign) -> list[Topic]:
    """The topic the concept comes from; for one of another author, what its name or the roadmap's title names."""
    place = places().get((concept.name, concept.description))
    return [place.topic] if place else topics_of(concept.name) or topics_of(framework.title)


def _score(resource: CatalogueResource, topic: Topic, concept: ConceptDesign, language: str) -> float:
    # words of the topic's own name stand in every title and tell nothing apart
    common = set(tokens(" ".join((topic.en, topic.zh, *topic.aliases))))
    title = set(tokens(resource.title)) - common
    place = places().get((concept.name, concept.description))
    texts = [concept.name, *concept.keywords, concept.description]
    if place:
        texts += [place.concept.en, place.concept.zh, place.concept.about_en, place.module.en, place.module.zh]
    shared = len(title & set(tokens(" ".join(texts)))) / len(title) if title else 0
    score = OF_TOPIC + OF_WORDS * shared + OF_LANGUAGE * (resource.language == language)
    return round(score, 2)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _before(framework: Framework, concept: ConceptDesign, language: str) -> str:
    return _bullets(needed(framework, concept)) or say(language, "tutorial.nothing")


def _fits(framework: Framework, concept: ConceptDesign, language: str) -> str:
    home = _home(framework, concept)
    lines = []
    if home:
        stage, module = home
        lines.append(
            say(
                language,
                "tutorial.place",
                stage=stage.name,
                module=module.name,
                difficulty=say(language, f"difficulty.{concept.difficulty}"),
                hours=concept.estimated_hours,
            )
        )
    after = [each.name for each in concepts(framework) if concept.concept_id in each.prerequisites]
    beside = _beside(framework, concept)
    if beside:
        lines.append(say(language, "tutorial.beside", names=listed(language, beside)))
    if after:
        lines.append(say(language, "tutorial.next", names=listed(language, after)))
    return "\n\n".join(lines)


def _to_try(framework: Framework, concept: ConceptDesign, language: str) -> str:
    lines = [say(language, "try.explain", name=concept.name)]
    lines += [say(language, "try.term", term=term) for term in concept.keywords[:MOST_TERMS]]
    lines += [say(language, "try.compare", name=concept.name, other=name) for name in _beside(framework, concept)[:1]]
    return _bullets(lines)


def _beside(framework: Framework, concept: ConceptDesign) -> list[str]:
    home = _home(framework, concept)
    return [each.name for each in home[1].concepts if each.concept_id != concept.concept_id] if home else []


def _home(framework: Framework, concept: ConceptDesign) -> tuple[StageDesign, ModuleDesign] | None:
    for stage in framework.stages:
        for module in stage.modules:
            if any(each.concept_id == concept.concept_id for each in module.concepts):
                return stage, module
    return None
