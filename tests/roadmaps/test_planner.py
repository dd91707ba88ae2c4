"""What the rules promise of every roadmap they plan: contracts, budget, no fault, and always the same."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadmaps import planner, structure
from roadmaps.catalogue import LANGUAGES, CatalogueConcept, CatalogueModule, catalogue, prerequisites
from roadmaps.choices import Level, RoadmapError
from roadmaps.contracts import Framework, Intent, Quiz, Resources, Tutorial
from roadmaps.planning.choosing import FEWEST, choose
from roadmaps.planning.finding import topics_of, weeks_of
from roadmaps.planning.phrases import PHRASES
from roadmaps.wishes import Wish
from runs.errors import RunFailed

GOLDEN = Path(__file__).parent / "golden"
TODAY = date(2026, 3, 2)
TOPICS = catalogue().topics


@st.composite
def wishes(draw, most_topics=7):
    """A wish for known topics."""
    language = draw(st.sampled_from(LANGUAGES))
    named = draw(st.lists(st.sampled_from(TOPICS), min_size=1, max_size=most_topics, unique_by=lambda topic: topic.key))
    days = draw(st.none() | st.integers(-5, 400))
    return Wish(
        query=" ; ".join(topic.name(language) for topic in named),
        level=draw(st.sampled_from(Level.values)),
        hours_per_week=draw(st.integers(1, 168)),
        background=draw(st.sampled_from(["", "Python", "Linux, HTTP", "财务"])),
        language=language,
        deadline=None if days is None else TODAY + timedelta(days=days),
    ).checked()


def planned(wish):
    intent = planner.intent(wish, today=TODAY)
    return intent, planner.curriculum(wish, intent, today=TODAY)


@pytest.mark.parametrize(
    ("query", "level", "told"),
    [
        ("Learn Kubernetes", "intermediate", "Kubernetes is for a level above this one (advanced) on the whole"),
        ("学习 Kubernetes", "beginner", "总体而言，Kubernetes 适合更高的水平（高级）"),
        ("Learn Kubernetes", "advanced", None),
        ("Learn Redis", "beginner", None),
    ],
)
def test_a_topic_above_the_level_of_the_wish_is_told(query, level, told):
    suggestions = "\n".join(planner.intent(Wish(query, level).checked()).personalized_suggestions or [])
    assert (told in suggestions) if told else ("above this" not in suggestions)


@given(wishes())
def test_every_plan_keeps_its_contracts_and_has_no_fault(wish):
    intent, framework = planned(wish)
    assert Intent.model_validate(intent.model_dump()) == intent
    assert Framework.model_validate(framework.model_dump()) == framework
    assert structure.faults(framework) == []
    assert structure.numbered(framework) == framework
    assert 3 <= len(framework.stages) <= 5
    assert 1 <= len(intent.key_technologies) <= 5


@given(wishes())
def test_hours_add_up_and_fit_the_budget(wish):
    _, framework = planned(wish)
    concepts = list(structure.concepts(framework))
    assert framework.total_estimated_hours == sum(concept.estimated_hours for concept in concepts)
    assert framework.recommended_completion_weeks == ceil(framework.total_estimated_hours / wish.hours_per_week)
    if wish.deadline and wish.deadline > TODAY:
        budget = Decimal((wish.deadline - TODAY).days * wish.hours_per_week) / 7
        said = PHRASES[wish.language]["too-short"].split("{")[0]
        fits = framework.total_estimated_hours <= budget
        assert fits == (said not in framework.design_rationale)
        assert fits or len(concepts) == FEWEST


@given(wishes())
def test_prerequisites_come_earlier(wish):
    _, framework = planned(wish)
    seen = set()
    for concept in structure.concepts(framework):
        assert set(concept.prerequisites) <= seen
        seen.add(concept.concept_id)


@given(wishes(most_topics=2), st.integers(0, 200))
def test_planning_twice_gives_the_same_and_contents_keep_their_contracts(wish, place):
    intent, framework = planned(wish)
    assert planned(wish) == (intent, framework)
    concepts = list(structure.concepts(framework))
    concept = concepts[place % len(concepts)]
    for make, contract in ((planner.tutorial, Tutorial), (planner.resources, Resources), (planner.quiz, Quiz)):
        made = make(wish, framework, concept)
        assert contract.model_validate(made.model_dump()) == made == make(wish, framework, concept)


@given(wishes(most_topics=3))
def test_each_level_takes_less_for_granted_than_the_next(wish):
    open_end = replace(wish, deadline=None)
    hours = [planned(replace(open_end, level=level))[1].total_estimated_hours for level in Level.values]
    assert hours == sorted(hours, reverse=True)


def test_basics_of_what_is_needed_come_first_and_only_for_beginners():
    _, beginner = planned(Wish("Learn Django").checked())
    assert [module.name for module in beginner.stages[0].modules] == ["Basics of Python", "Basics of HTTP and the web"]
    _, advanced = planned(Wish("Learn Django", level="advanced").checked())
    assert "Basics" not in advanced.model_dump_json()
    assert {concept.difficulty for concept in structure.concepts(advanced)} == {"medium", "hard"}


def test_what_the_background_names_is_not_taught_again():
    intent, framework = planned(Wish("Learn Django", background="I write Python every day.").checked())
    assert "Basics of Python" not in framework.model_dump_json()
    assert intent.skill_gap_analysis
    assert all("Python" not in gap for gap in intent.skill_gap_analysis)
    assert intent.user_profile_summary == "Background, as written in the wish: I write Python every day."


def test_nothing_is_said_of_a_person_who_said_nothing():
    intent, _ = planned(Wish("Learn Redis").checked())
    assert intent.user_profile_summary is None
    assert intent.content_format_weights is None
    assert intent.personalized_suggestions is None


def test_a_shorter_time_leaves_out_and_says_what():
    _, whole = planned(Wish("Learn Redis", level="intermediate").checked())
    _, short = planned(Wish("Learn Redis in 2 weeks", level="intermediate").checked())
    names = {concept.name for concept in structure.concepts(short)}
    gone = [concept.name for concept in structure.concepts(whole) if concept.name not in names]
    assert short.total_estimated_hours <= 12 < whole.total_estimated_hours
    assert gone
    assert f"Left out to stay within 12 hours: {', '.join(gone)}." in short.design_rationale


def test_what_is_taken_as_known_leaves_what_it_needs():
    """Of a → b → c, where b is too easy to be taught, c needs a."""
    told = "A *thing* has a *name*. It is here.", "一个*事物*有*名称*。它在这里。"
    chain = [("a", "medium", ()), ("b", "easy", ("a",)), ("c", "hard", ("b",))]
    concepts = [
        CatalogueConcept(
            key=key, en=key, zh=key, hours=1, difficulty=difficulty, needs=needs, about_en=told[0], about_zh=told[1]
        )
        for key, difficulty, needs in chain
    ]
    topic = TOPICS[0].model_copy(update={"modules": (CatalogueModule(en="m", zh="m", concepts=concepts),)})
    topic.__dict__.pop("concepts", None)
    choice = choose([topic], [], "advanced", None)
    assert [concept.key for concept in choice.kept[topic]] == ["a", "c"]
    assert choice.nearest(topic, concepts[2]) == ["a"]


def test_a_past_deadline_is_named_and_not_counted():
    wish = Wish("Learn Redis", deadline=TODAY).checked()
    intent, framework = planned(wish)
    assert "2026-03-02" in intent.time_constraint
    assert framework == planned(Wish("Learn Redis").checked())[1]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("learn advanced Python for data analysis", ["python", "data-analysis"]),
        ("我想学Redis缓存和PostgreSQL", ["redis", "postgresql"]),
        ("JavaScript", ["javascript"]),
        ("Java", ["java"]),
        ("Learn Redis in English", ["redis"]),
        ("用中文学 Docker", ["docker"]),
        ("Learn English", ["english"]),
        ("the rest of Python", ["python"]),
        ("Redis 数据库", ["redis"]),
        ("学习数据库", ["sql"]),
        ("Go语言", ["go"]),
        ("I want to go home", []),
        ("Pythonic jokes", []),
        ("digit games", []),
        ("web security", ["security"]),
        ("ＰＹＴＨＯＮ", ["python"]),
    ],
)
def test_topics_are_found_as_people_write_them(query, keys):
    assert [topic.key for topic in topics_of(query)] == keys


@pytest.mark.parametrize(
    ("text", "weeks"),
    [
        ("Learn Redis in 4 weeks", 4),
        ("within two months", 8),
        ("两个月内学会 Redis", 8),
        ("3周学会 Git", 3),
        ("Learn Redis", None),
        ("6 hours a week", None),
        ("每周 6 小时", None),
        ("十二月", None),
        ("in 0 weeks", None),
    ],
)
def test_a_time_is_read_only_where_one_is_given(text, weeks):
    assert weeks_of(text) == weeks


def test_an_advanced_query_changes_the_analysis():
    plain, _ = planned(Wish("Learn Python").checked())
    changed, _ = planned(Wish("Learn Advanced Python").checked())
    assert (plain.parsed_goal, changed.parsed_goal) == (
        "Learn Python (level: beginner).",
        "Learn Python (level: advanced).",
    )


@pytest.mark.parametrize(
    ("query", "language", "known"),
    [("quantum knitting", "en", "Machine learning basics"), ("学习插花", "zh", "机器学习基础")],
)
def test_an_unknown_topic_is_refused_with_what_is_known(query, language, known):
    with pytest.raises(RunFailed) as failure:
        planner.intent(Wish(query).checked())
    assert failure.value.slug == RoadmapError.UNKNOWN_TOPIC
    assert query in failure.value.text
    assert known in failure.value.text
    assert len(planner.known_topics(language)) == len(TOPICS)


def test_more_topics_than_a_roadmap_holds_are_told():
    intent, _ = planned(Wish("Redis, SQL, Git, Docker, React, Go language, Rust").checked())
    assert len(intent.key_technologies) == 5
    assert intent.personalized_suggestions
    assert "Go language, Rust" in intent.personalized_suggestions[-1]


def test_topics_come_in_an_order_in_which_they_can_be_learnt():
    _, framework = planned(Wish("Kubernetes, Docker and Linux").checked())
    text = " ".join(stage.name for stage in framework.stages)
    assert text.index("Linux") < text.index("Docker") < text.index("Kubernetes")
    by_key = catalogue().by_key
    assert [topic.key for topic in prerequisites(by_key["kubernetes"], by_key)] == ["linux", "docker"]


def test_the_words_of_the_planner_are_complete_in_both_languages():
    assert PHRASES["en"].keys() == PHRASES["zh"].keys()


def snapshot(query):
    """Intent, tree and the contents of the last concept, as JSON."""
    wish = Wish(query).checked()
    intent, framework = planned(wish)
    last = list(structure.concepts(framework))[-1]
    parts = {
        "intent": intent,
        "framework": framework,
        "tutorial": planner.tutorial(wish, framework, last),
        "resources": planner.resources(wish, framework, last),
        "quiz": planner.quiz(wish, framework, last),
    }
    return {name: part.model_dump(mode="json") for name, part in parts.items()}


@pytest.mark.parametrize(("name", "query"), [("redis", "Learn Redis, 6 h a week, beginner"), ("django", "学习 Django")])
def test_a_golden_roadmap_is_planned_as_it_was(name, query):
    """What changes here changes for everybody: then planner.NAME gets a new number."""
    assert snapshot(query) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
