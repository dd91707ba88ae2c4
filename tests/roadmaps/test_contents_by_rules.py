"""Tutorials, resources and quizzes by rules: the catalogue's own words, and no question that could be argued about."""

import re

import pytest

from llm.rules.sentences import split
from roadmaps import planner, structure
from roadmaps.catalogue import LANGUAGES, catalogue
from roadmaps.choices import RoadmapError
from roadmaps.contracts import ConceptDesign
from roadmaps.planning.quizzes import BLANK
from roadmaps.wishes import Wish
from runs.errors import RunFailed

TERM = re.compile(r"(?:speaks of |描述提到了)“(.+)”[.。]$")
QUOTED = re.compile(r"“([^“”]*(?:“[^“”]*”[^“”]*)*)”$")


def plan(query, language=""):
    wish = Wish(query, language=language).checked()
    return wish, planner.curriculum(wish, planner.intent(wish))


def ancestors(concept, by_id):
    found, waiting = set(), list(concept.prerequisites)
    while waiting:
        each = waiting.pop()
        found.add(by_id[each].name)
        waiting += by_id[each].prerequisites
    return found


def check(question, concept, by_id):
    """That the right answers are right and the wrong ones wrong, by the description itself."""
    sentences = list(split(concept.description))
    right = {question.options[place] for place in question.correct_answer}
    wrong = set(question.options) - right
    quoted = QUOTED.search(question.question)
    if question.question_type == "true_false":
        about = TERM.search(question.question)
        is_true = about.group(1) in concept.keywords if about else quoted.group(1) in sentences
        assert (question.correct_answer == [0]) == is_true
        assert is_true or not about or about.group(1).casefold() not in concept.description.casefold()
    elif question.question_type == "multiple_choice":
        assert right <= set(concept.keywords)
        assert not any(each.casefold() in concept.description.casefold() for each in wrong)
    elif right == {concept.name}:
        assert quoted.group(1) in {sentences[0], re.sub(re.escape(concept.name), BLANK, sentences[0], flags=re.I)}
    elif quoted and BLANK in quoted.group(1):
        (term,) = right
        filled = quoted.group(1).replace(BLANK, term).casefold()
        assert filled in [each.casefold() for each in sentences]
        assert term.casefold() not in quoted.group(1).casefold()
        assert not any(each.casefold() in concept.description.casefold() for each in wrong)
    else:
        assert right <= {by_id[each].name for each in concept.prerequisites}
        assert not wrong & ancestors(concept, by_id)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("topic", catalogue().topics, ids=lambda topic: topic.key)
def test_every_concept_has_a_quiz_whose_answers_are_right_beyond_doubt(topic, language):
    wish, framework = plan(topic.name(language), language)
    by_id = {concept.concept_id: concept for concept in structure.concepts(framework)}
    for concept in by_id.values():
        quiz = planner.quiz(wish, framework, concept)
        assert 5 <= len(quiz.questions) <= 8
        assert len({question.question for question in quiz.questions}) == len(quiz.questions)
        assert {"single_choice", "multiple_choice", "true_false"} == {each.question_type for each in quiz.questions}
        for question in quiz.questions:
            check(question, concept, by_id)


@pytest.mark.parametrize("topic", catalogue().topics, ids=lambda topic: topic.key)
def test_no_missing_term_stands_in_another_question(topic):
    wish, framework = plan(topic.en)
    for concept in structure.concepts(framework):
        questions = planner.quiz(wish, framework, concept).questions
        for question in questions:
            quoted = QUOTED.search(question.question)
            (right, *more) = [question.options[place] for place in question.correct_answer]
            if quoted and BLANK in quoted.group(1) and right != concept.name and not more:
                whole = quoted.group(1).replace(BLANK, right)
                assert not any(whole in each.question for each in questions), (concept.name, whole)


def test_the_right_answer_is_not_always_at_the_same_place():
    wish, framework = plan("Learn Redis")
    places = {
        question.correct_answer[0]
        for concept in structure.concepts(framework)
        for question in planner.quiz(wish, framework, concept).questions
        if question.question_type == "single_choice"
    }
    assert places == {0, 1, 2, 3}


def test_a_tutorial_says_what_it_is_and_adds_no_word_of_its_own_to_the_facts():
    wish, framework = plan("Learn Redis")
    concept = next(each for each in structure.concepts(framework) if each.name == "Persistence")
    made = planner.tutorial(wish, framework, concept)
    assert "No language model was used" in made.content
    assert concept.description in made.content
    assert "- Server and client" in made.content
    assert "Builds on it: Replication and failover." in made.content
    assert made.estimated_completion_time == 120
    assert "未使用大模型" in planner.tutorial(*_first("学习 Redis")).content


def _first(query):
    wish, framework = plan(query)
    return wish, framework, next(structure.concepts(framework))


def test_resources_are_the_catalogues_and_the_nearest_comes_first():
    wish, framework = plan("Learn Redis")
    concept = next(each for each in structure.concepts(framework) if each.name == "Persistence")
    made = planner.resources(wish, framework, concept)
    assert {each.url for each in made.resources} == {each.url for each in catalogue().by_key["redis"].resources}
    assert "persistence" in made.resources[0].url
    assert made.search_queries_used == []


def test_resources_in_the_language_of_the_wish_are_preferred():
    wish, framework = plan("学习 Git")
    concept = list(structure.concepts(framework))[-1]
    scores = {each.language: each.relevance_score for each in planner.resources(wish, framework, concept).resources}
    assert scores["zh"] > min(scores.values())


FOREIGN = ConceptDesign(
    concept_id="c-1-1-1",
    name="Zettelkasten",
    description="A Zettelkasten holds one thought on each slip. Slips refer to each other by number.",
    estimated_hours="1",
    difficulty="easy",
    keywords=["slip", "thought"],
)


def of_another_author(concept):
    _, framework = plan("Learn Redis")
    framework.stages[0].modules[0].concepts[0] = concept
    return framework


def test_a_concept_of_another_author_gets_contents_of_its_own_words():
    framework = of_another_author(FOREIGN)
    wish = Wish("Learn Redis").checked()
    by_id = {concept.concept_id: concept for concept in structure.concepts(framework)}
    assert "the roadmap's own description" in planner.tutorial(wish, framework, FOREIGN).content
    assert planner.resources(wish, framework, FOREIGN).resources
    for question in planner.quiz(wish, framework, FOREIGN).questions:
        check(question, FOREIGN, by_id)


def test_a_concept_that_says_too_little_gets_no_invented_quiz():
    bare = FOREIGN.model_copy(update={"description": "Slips.", "keywords": []})
    with pytest.raises(RunFailed) as failure:
        planner.quiz(Wish("Learn Redis").checked(), of_another_author(bare), bare)
    assert failure.value.slug == RoadmapError.NOT_STORABLE
