"""The bundled catalogue: complete in both languages, free of cycles, and refused when it is not sound."""

import re
from collections import Counter

import pytest
from pydantic import ValidationError

from roadmaps.catalogue import LANGUAGES, all_places, catalogue, read
from roadmaps.planning.finding import topics_of

TOPICS = catalogue().topics
CHINESE = re.compile(r"[\u4e00-\u9fff]")
MAIN = [
    "redis",
    "postgresql",
    "python",
    "django",
    "linux",
    "git",
    "docker",
    "kubernetes",
    "javascript",
    "react",
    "sql",
    "machine-learning",
    "statistics",
    "http",
    "testing",
]


def test_there_is_much_to_learn():
    assert len(TOPICS) >= 40
    sizes = {topic.key: len(topic.concepts) for topic in TOPICS}
    assert min(sizes.values()) >= 6
    assert all(8 <= sizes[key] <= 20 for key in MAIN)


def test_every_description_is_a_few_sentences_with_its_terms_in_them():
    for place in all_places():
        for language in LANGUAGES:
            sentences = place.concept.sentences(language)
            where = (place.topic.key, place.concept.key, language, sentences)
            assert 2 <= len(sentences) <= 4, where
            assert len(place.concept.keywords(language)) >= 2, where
            assert "*" not in place.concept.about(language), where


def test_both_languages_are_what_they_say():
    for place in all_places():
        assert not CHINESE.search(place.concept.en + place.concept.about_en), place.concept.key
        assert CHINESE.search(place.concept.about_zh), place.concept.key
    for topic in TOPICS:
        assert not CHINESE.search(topic.en + topic.about_en)
        assert CHINESE.search(topic.about_zh)
        assert all(not CHINESE.search(module.en) for module in topic.modules)


def test_no_two_concepts_are_described_alike():
    told = Counter((language, place.concept.about(language)) for place in all_places() for language in LANGUAGES)
    assert [text for text, times in told.items() if times > 1] == []


def test_a_name_belongs_to_one_topic():
    owners = Counter(
        name.casefold()
        for topic in TOPICS
        for name in {topic.en.casefold(), topic.zh.casefold(), *map(str.casefold, (*topic.aliases, *topic.vague))}
    )
    assert [name for name, times in owners.items() if times > 1] == []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_a_topic_is_found_by_each_of_its_names(topic):
    for name in (topic.en, topic.zh, *topic.aliases, *topic.vague):
        assert topics_of(name) == [topic], name


def test_every_topic_has_links_and_something_for_each_level():
    for topic in TOPICS:
        urls = [resource.url for resource in topic.resources]
        assert len(set(urls)) == len(urls) >= 3
        assert all(url.startswith(("https://", "http://")) for url in urls)
        assert sum(concept.difficulty != "easy" for concept in topic.concepts) >= 3, topic.key


def toml(*, needs="[]", concept_needs="[]", about="A *thing* has a *name*. It is here.", url="https://example.org/"):
    concepts = "\n".join(
        f'[[modules.concepts]]\nkey = "c{number}"\nen = "C{number}"\nzh = "概念{number}"\nhours = 1\n'
        f'difficulty = "easy"\nneeds = {concept_needs if number == 1 else "[]"}\nabout_en = "{about}"\n'
        f'about_zh = "一个*事物*有*名称*。它在这里。"\n'
        for number in range(1, 4)
    )
    modules = f'[[modules]]\nen = "M"\nzh = "模块"\n{concepts}\n'
    second = modules.replace('key = "c', 'key = "d').replace(f"needs = {concept_needs}", "needs = []")
    resources = "".join(f'[[resources]]\ntitle = "R"\nurl = "{url}"\ntype = "book"\n' for _ in range(3))
    head = (
        'area = "x"\nen = "X"\nzh = "某"\naliases = []\nlevel = "beginner"\n'
        'about_en = "Something new."\nabout_zh = "一种全新的东西，很有用。"\n'
    )
    return f"{head}needs = {needs}\n{modules}{second}{resources}"


def test_a_sound_file_is_read():
    assert read({"x.toml": toml()}).by_key["x"].concepts[0].keywords("en") == ["thing", "name"]


@pytest.mark.parametrize(
    "texts",
    [
        {"x.toml": toml(needs='["y"]'), "y.toml": toml(needs='["x"]')},
        {"x.toml": toml(needs='["x"]')},
        {"x.toml": toml(needs='["nowhere"]')},
        {"x.toml": toml(concept_needs='["c2"]')},
        {"x.toml": toml(concept_needs='["nothing"]')},
        {"x.toml": toml(about="A thing without any mark at all.")},
        {"x.toml": toml(about="A *thing whose mark is left open.")},
        {"x.toml": toml(url="ftp://example.org/")},
        {"x.toml": toml() + '\n[more]\nfield = "unknown"\n'},
    ],
    ids="circle itself no-topic later-concept no-concept unmarked half-marked not-http unknown-field".split(),  # noqa: SIM905
)
def test_a_file_that_is_not_sound_is_refused(texts):
    with pytest.raises(ValidationError):
        read(texts)
