"""An article made of sentences quoted from given sources; without any it is an outline and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm.choices import GeneratorKind
from llm.completions import Composed
from llm.generator import labelled
from llm.prompts import clean
from llm.rules.ranking import Ranking
from llm.rules.scripts import CHINESE, ENGLISH, language_of
from llm.rules.sentences import Sentence, Source, sentences_of

NAME = "rules-extractive/1"
ANSWERS, BACKGROUND = 6, 4  # sentences at most


@dataclass(frozen=True)
class Words:
    """What the frame of an article says in one language; everything else is quoted."""

    language: str
    answer: str
    background: str
    sources: str
    points: tuple[str, ...]
    outline_only: str
    nothing_fits: str
    open_point: str
    not_found: str


WORDS = {
    CHINESE: Words(
        language=CHINESE,
        answer="资料中的回答",
        background="关于“{k}”的更多资料",
        sources="资料来源",
        points=("概念与背景", "要点", "做法与步骤", "常见问题与注意事项", "小结"),
        outline_only="仅为提纲：没有提供可引用的资料，以下各节有待填写。",
        nothing_fits="仅为提纲：所提供的资料中没有与该主题相关的句子，以下各节有待填写。",
        open_point="（待填写）",
        not_found="所提供的资料中没有与本节相关的句子。",
    ),
    ENGLISH: Words(
        language=ENGLISH,
        answer="What the sources say",
        background="More from the sources on {k}",
        sources="Sources",
        points=("Terms and background", "Key points", "Steps", "Common questions and pitfalls", "Summary"),
        outline_only="Outline only: no sources to quote from were given. The sections below are to be written.",
        nothing_fits="Outline only: no sentence of the given sources fits this topic. The sections are to be written.",
        open_point="(to be written)",
        not_found="No sentence of the given sources fits this section.",
    ),
}


@dataclass(frozen=True)
class Article:
    """A composed article. `empty` names the sections for which the sources had nothing."""

    title: str
    content: str
    quoted: tuple[Sentence, ...]
    empty: tuple[str, ...]

    @property
    def is_outline(self) -> bool:
        return not self.quoted


def article(keyword: str, topic: str, sources: Sequence[Source] = ()) -> Composed:
    """The article as a completion: its Markdown as text, an Article as data."""
    made = compose(keyword, topic, sources)
    return Composed(text=made.content, data=made, name=NAME, is_outline=made.is_outline)


def compose(keyword: str, topic: str, sources: Sequence[Source] = ()) -> Article:
    """Sentences that answer the topic, then others on the keyword, word for word and with their source.

    The Markdown begins with the label of rules. The same input gives the same article.
    """
    keyword, topic = _one_line(keyword), _one_line(topic)
    words = WORDS[language_of(keyword + topic)]
    ranking = Ranking(sentences_of(sources))
    answers = ranking.best(topic, ANSWERS)
    # what is only about the keyword is no answer: without any answer it stays an outline
    others = ranking.best(keyword, BACKGROUND, without=frozenset(answers)) if answers else []
    if not answers:
        return _outline(topic or keyword, words, words.nothing_fits if sources else words.outline_only)
    sections = [(words.answer, answers), (words.background.replace("{k}", keyword), others)]
    lines = [f"# {topic or keyword}", ""]
    for heading, quoted in sections:
        lines += [f"## {heading}", "", *(_quoted(quoted) if quoted else [words.not_found, ""])]
    lines += [f"## {words.sources}", "", *_used(sources, [*answers, *others])]
    empty = tuple(heading for heading, quoted in sections if not quoted)
    return Article(topic or keyword, _labelled(lines, words), (*answers, *others), empty)


def _outline(title: str, words: Words, why: str) -> Article:
    lines = [f"# {title}", "", f"*{why}*", ""]
    for point in words.points:
        lines += [f"## {point}", "", words.open_point, ""]
    return Article(title, _labelled(lines, words), (), words.points)


def _labelled(lines: Sequence[str], words: Words) -> str:
    return labelled("\n".join(lines).rstrip() + "\n", GeneratorKind.RULES, language=words.language)


def _quoted(sentences: Sequence[Sentence]) -> list[str]:
    return [line for each in sentences for line in (f"> {each.text} [{each.source}]", "")]


def _used(sources: Sequence[Source], quoted: Sequence[Sentence]) -> list[str]:
    used = {each.source for each in quoted}
    return [f"- [{at}] {_one_line(each.title)}" for at, each in enumerate(sources, start=1) if at in used]


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
