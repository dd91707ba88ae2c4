"""Questions about a concept, made of its own sentences and of concepts that have nothing to do with it.

Nothing is asked whose answer could be argued about: what is asked is what the description says, and the wrong options
come from concepts that neither share a term with it nor are named in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from typing import Literal

from llm.rules.scripts import IS_HAN
from llm.rules.sentences import split
from roadmaps.catalogue import Place, all_places, places
from roadmaps.choices import RoadmapError
from roadmaps.contracts import (
    FEWEST_QUESTIONS,
    MOST_QUESTIONS,
    ConceptDesign,
    DifficultyWord,
    Framework,
    Question,
    Quiz,
)
from roadmaps.planning.phrases import listed, say
from roadmaps.structure import concepts
from roadmaps.wishes import Wish
from runs.errors import RunFailed

BLANK = "____"
WRONG_OPTIONS, MOST_CLOZES, MOST_OWN_TERMS = 3, 3, 3
LONGEST_OPTION = 200
ENOUGH = 8  # unrelated concepts to take wrong options from

Kind = Literal["single_choice", "multiple_choice", "true_false"]


@dataclass(frozen=True)
class Matter:
    """What questions are made of."""

    name: str
    sentences: tuple[str, ...]
    keywords: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """All its words, for the question whether a term stands in them."""
        return "\n".join((self.name, *self.sentences, *self.keywords)).casefold()


def quiz(wish: Wish, framework: Framework, concept: ConceptDesign) -> Quiz:
    """Five to eight questions. Raises RunFailed ("unusable-content") for a concept that nothing can be asked about."""
    matter = _matter(concept)
    others = _unrelated(framework, concept, matter, wish.language)
    asked = [
        *_which_concept(matter, others, wish.language),
        *_clozes(matter, others, wish.language),
        *_terms(matter, others, wish.language),
        *_before(framework, concept, wish.language),
        *_spoken_of(matter, others, wish.language),
    ]
    if len(asked) < FEWEST_QUESTIONS:  # only then: whole sentences would answer the questions before
        missing = FEWEST_QUESTIONS - len(asked)
        asked += list(_whole_sentences(matter, others, wish.language))[: missing + missing % 2]
    if len(asked) < FEWEST_QUESTIONS:
        raise RunFailed(RoadmapError.NOT_STORABLE, say(wish.language, "quiz.short", name=concept.name))
    return Quiz(questions=asked[:MOST_QUESTIONS])


def _which_concept(matter: Matter, others: list[Matter], language: str) -> Iterator[Question]:
    """The first sentence with the name blanked."""
    sentence = _blanked(matter.sentences[0], matter.name) if matter.sentences else ""
    wrong = [other.name for other in others if len(other.name) <= LONGEST_OPTION][:WRONG_OPTIONS]
    if sentence and len(wrong) == WRONG_OPTIONS:
        question = say(language, "quiz.concept", sentence=sentence)
        yield _choice(question, [matter.name], wrong, _said(language, matter.sentences[0]), "easy")


def _clozes(matter: Matter, others: list[Matter], language: str) -> Iterator[Question]:
    """A term missing in its sentence, of each sentence one; the first has been shown whole."""
    made: set[str] = set()
    for term in matter.keywords:
        sentence = next((each for each in matter.sentences[1:] if each not in made and _holds(each, term)), "")
        blanked = _blanked(sentence, term)
        wrong = _foreign_terms(matter, others)[:WRONG_OPTIONS]
        is_told = _holds(matter.name, term) or term.casefold() in blanked.casefold()
        if sentence and not is_told and len(wrong) == WRONG_OPTIONS and len(made) < MOST_CLOZES:
            made.add(sentence)
            question = say(language, "quiz.cloze", name=matter.name, sentence=blanked)
            yield _choice(question, [term], wrong, _said(language, sentence), "medium")


def _terms(matter: Matter, others: list[Matter], language: str) -> Iterator[Question]:
    """Two or three own terms among foreign ones."""
    own, wrong = list(matter.keywords[:MOST_OWN_TERMS]), _foreign_terms(matter, others)[-2:]
    if len(own) > 1 and len(wrong) > 1:
        why = say(language, "quiz.terms.why", name=matter.name, terms=listed(language, own))
        yield _choice(say(language, "quiz.terms", name=matter.name), own, wrong, why, "hard", kind="multiple_choice")


def _before(framework: Framework, concept: ConceptDesign, language: str) -> Iterator[Question]:
    """A prerequisite among concepts that come later."""
    order = list(concepts(framework))
    by_id = {each.concept_id: each for each in order}
    before = [by_id[each].name for each in concept.prerequisites if each in by_id]
    if not before or concept.concept_id not in by_id:
        return
    ancestors = _ancestors(concept, by_id)
    after = order[order.index(by_id[concept.concept_id]) + 1 :]
    wrong = [each.name for each in after if each.concept_id not in ancestors]
    wrong = [name for name in dict.fromkeys(wrong) if name not in {concept.name, *before}][-WRONG_OPTIONS:]
    if len(wrong) == WRONG_OPTIONS:
        why = say(language, "quiz.before.why", before=before[0], name=concept.name)
        yield _choice(say(language, "quiz.before", name=concept.name), [before[0]], wrong, why, "medium")


def _spoken_of(matter: Matter, others: list[Matter], language: str) -> Iterator[Question]:
    """An own term and a foreign one."""
    own = next((each for each in reversed(matter.keywords) if not _holds(matter.name, each)), "")
    foreign = _foreign_terms(matter, others)[-1:]
    if own and foreign:
        said = next((each for each in matter.sentences if _holds(each, own)), "")
        owner = next(other for other in others if foreign[0] in other.keywords)
        for term, is_true, why in (
            (own, True, _said(language, said)),
            (foreign[0], False, say(language, "quiz.term.of", term=foreign[0], name=owner.name)),
        ):
            question = say(language, "quiz.speaks", name=matter.name, term=term)
            if said:
                yield _true_or_false(question, is_true, why, language)


def _whole_sentences(matter: Matter, others: list[Matter], language: str) -> Iterator[Question]:
    """Own sentences and foreign ones in turn, as many as there may be."""
    foreign = [(other, other.sentences[0]) for other in others if other.sentences]
    for sentence, (other, strange) in zip(matter.sentences, foreign, strict=False):
        for owner, text in ((matter, sentence), (other, strange)):
            question = say(language, "quiz.about", name=matter.name, sentence=text)
            why = say(language, "quiz.of", name=owner.name)
            yield _true_or_false(question, owner is matter, why, language)


def _true_or_false(question: str, is_true: bool, explanation: str, language: str) -> Question:
    return Question(
        question=question,
        question_type="true_false",
        options=[say(language, "quiz.true"), say(language, "quiz.false")],
        correct_answer=[0 if is_true else 1],
        explanation=explanation,
        difficulty="easy",
    )


def _choice(
    question: str,
    right: list[str],
    wrong: list[str],
    explanation: str,
    difficulty: DifficultyWord,
    *,
    kind: Kind = "single_choice",
) -> Question:
    """The options in an order that is always the same and tells nothing."""
    options = sorted([*right, *wrong], key=lambda option: sha256(f"{question}\n{option}".encode()).digest())
    return Question(
        question=question,
        question_type=kind,
        options=options,
        correct_answer=sorted(options.index(each) for each in right),
        explanation=explanation,
        difficulty=difficulty,
    )


def _matter(concept: ConceptDesign) -> Matter:
    usable = tuple(each for each in dict.fromkeys(concept.keywords) if len(each) <= LONGEST_OPTION)
    return Matter(concept.name, tuple(split(concept.description)), usable)


def _unrelated(framework: Framework, concept: ConceptDesign, matter: Matter, language: str) -> list[Matter]:
    """Concepts to take wrong options from, of other modules of the topic before those of other topics."""
    found: dict[str, Matter] = {}
    for other in _candidates(framework, concept, language):
        if len(found) < ENOUGH and other.name.casefold() not in found and _is_foreign(other, matter):
            found[other.name.casefold()] = other
    # always the same, and not the same for every concept
    return sorted(found.values(), key=lambda other: sha256(f"{matter.name}\n{other.name}".encode()).digest())


def _candidates(framework: Framework, concept: ConceptDesign, language: str) -> Iterator[Matter]:
    """The near ones first: wrong options from another world would give the right one away."""
    home = places().get((concept.name, concept.description))
    if home:
        linked = {concept.key for concept in home.topic.concepts if home.concept.key in concept.needs}
        linked |= set(home.concept.needs)
        for place, matter in _known(language):
            if place.topic is home.topic and place.module is not home.module and place.concept.key not in linked:
                yield matter
    near = set(concept.prerequisites)
    for module in (module for stage in framework.stages for module in stage.modules):
        if all(each.concept_id != concept.concept_id for each in module.concepts):
            for each in module.concepts:
                if each.concept_id not in near and concept.concept_id not in each.prerequisites:
                    yield _matter(each)
    for place, matter in sorted(_known(language), key=lambda known: _distance(known[0], home)):
        if home is None or place.topic is not home.topic:
            yield matter


def _distance(place: Place, home: Place | None) -> tuple[bool, str]:
    """The same area first, then in an order that differs from topic to topic."""
    start = home.topic.key if home else ""
    return (
        home is None or place.topic.area != home.topic.area,
        sha256(f"{start}\n{place.topic.key}".encode()).hexdigest(),
    )


@cache
def _known(language: str) -> list[tuple[Place, Matter]]:
    """All of the catalogue."""
    return [
        (
            place,
            Matter(
                place.concept.name(language),
                tuple(place.concept.sentences(language)),
                tuple(place.concept.keywords(language)),
            ),
        )
        for place in all_places()
    ]


def _is_foreign(other: Matter, matter: Matter) -> bool:
    """No name or term of one stands in the other."""
    return not any(term.casefold() in matter.text for term in (other.name, *other.keywords)) and not any(
        term.casefold() in other.text for term in (matter.name, *matter.keywords)
    )


def _foreign_terms(matter: Matter, others: list[Matter]) -> list[str]:
    """One term of each unrelated concept; none that is part of another."""
    found: list[str] = []
    for other in others:
        term = next((each for each in other.keywords if each.casefold() != other.name.casefold()), "")
        if term and not any(_overlap(term, each) for each in (*found, *matter.keywords)):
            found.append(term)
    return found


def _overlap(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    return one in other or other in one


def _holds(text: str, term: str) -> bool:
    return bool(_pattern(term).search(text))


def _blanked(sentence: str, term: str) -> str:
    return _pattern(term).sub(BLANK, sentence)


def _pattern(term: str) -> re.Pattern[str]:
    """The term as a word of its own; in Chinese, which has no bounds, wherever it stands."""
    bound = "" if IS_HAN.search(term) else r"(?<![a-z0-9_])", "" if IS_HAN.search(term) else r"(?![a-z0-9_])"
    return re.compile(f"{bound[0]}{re.escape(term)}{bound[1]}", re.I)


def _ancestors(concept: ConceptDesign, by_id: dict[str, ConceptDesign]) -> set[str]:
    found: set[str] = set()
    waiting = list(concept.prerequisites)
    while waiting:
        each = waiting.pop()
        if each not in found and each in by_id:
            found.add(each)
            waiting += by_id[each].prerequisites
    return found


def _said(language: str, sentence: str) -> str:
    return say(language, "quiz.said", sentence=sentence)
