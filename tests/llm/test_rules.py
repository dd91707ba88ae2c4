"""The composer without a model: deterministic, word for word, and it says what it cannot do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.rules import articles, topics
from llm.rules.articles import compose
from llm.rules.ranking import Ranking
from llm.rules.scripts import language_of, tokens
from llm.rules.sentences import Source, sentences_of, split
from llm.rules.topics import questions

REDIS = """# Redis 缓存手册

缓存雪崩是指大量缓存在同一时间失效，请求全部落到数据库上。避免缓存雪崩的办法是给过期时间加上随机值。
缓存穿透是指查询不存在的数据，可以用布隆过滤器拦截。

| 参数 | 值 |
|---|---|
| maxmemory | 2gb |

```
CONFIG SET maxmemory 2gb
```

- Redis 是一个内存数据库。
- 持久化有 RDB 和 AOF 两种方式；AOF 更可靠。
"""
BREAD = """Sourdough bread rises by wild yeast. The starter needs feeding every day!
A starter that smells of acetone is hungry; feed it at once.

Baking takes about 45 minutes at 230 degrees. E.g. a small loaf bakes in 3.5 tenths less.
Is rye flour allowed? Rye flour makes the crumb dense and sour.
"""
COMPANY = "我们公司成立于2009年，总部位于成都。公司提供二十四小时客户服务。"


@pytest.mark.parametrize("keyword", ["Redis 缓存", "电动车", "sourdough bread", "Ключ", "a", "🍞", "1"])
@pytest.mark.parametrize("count", [5, 12, 30])
def test_topics_are_distinct_questions_about_the_keyword(keyword, count):
    made = questions(keyword, count)
    assert len(made) == len(set(made)) == count
    assert all(keyword in each and each[-1] in "?？" for each in made)
    assert made == questions(keyword, count)
    assert made[:5] == questions(keyword, 5)


def test_topics_speak_the_keyword_s_language():
    assert questions("新能源汽车", 5)[0] == "新能源汽车是什么？"
    assert questions("solar power", 5)[0] == "What is solar power?"
    assert questions("  solar \x00 power ", 5)[0] == "What is solar power?"
    assert questions("{k} {0} %s", 5)[0] == "What is {k} {0} %s?"


@pytest.mark.parametrize(("keyword", "count"), [("a", 4), ("a", 31), ("a", 0), ("", 5), (" \x00 ", 5)])
def test_senseless_wishes_for_topics_are_refused(keyword, count):
    with pytest.raises(ValueError, match=r"topics|keyword"):
        topics.topics(keyword, count)


def test_sentences_are_whole_and_tables_code_and_headings_are_none():
    assert list(split(REDIS)) == [
        "缓存雪崩是指大量缓存在同一时间失效，请求全部落到数据库上。",
        "避免缓存雪崩的办法是给过期时间加上随机值。",
        "缓存穿透是指查询不存在的数据，可以用布隆过滤器拦截。",
        "Redis 是一个内存数据库。",
        "持久化有 RDB 和 AOF 两种方式；",
        "AOF 更可靠。",
    ]
    english = list(split(BREAD))
    assert english[0] == "Sourdough bread rises by wild yeast."
    assert "E.g. a small loaf bakes in 3.5 tenths less." in english


def test_every_quoted_sentence_stands_in_its_source_word_for_word():
    made = compose("Redis 缓存", "如何避免缓存雪崩？", [Source("公司", COMPANY), Source("手册", REDIS)])
    assert [each.text for each in made.quoted][:2] == [
        "缓存雪崩是指大量缓存在同一时间失效，请求全部落到数据库上。",
        "避免缓存雪崩的办法是给过期时间加上随机值。",
    ]
    for each in made.quoted:
        assert each.text in (COMPANY, REDIS)[each.source - 1]
        assert f"> {each.text} [{each.source}]" in made.content
    assert "- [2] 手册" in made.content
    assert "公司" not in made.content
    assert made == compose("Redis 缓存", "如何避免缓存雪崩？", [Source("公司", COMPANY), Source("手册", REDIS)])


def test_english_works_by_words():
    made = compose("sourdough", "How often does a starter need feeding?", [Source("Bread", BREAD)])
    assert "The starter needs feeding every day!" in [each.text for each in made.quoted]
    assert made.content.startswith("> Rule-based, no language model\n\n# How often does a starter need feeding?\n")


def test_a_question_the_sources_do_not_answer_gets_an_outline_and_no_prose():
    made = compose("Redis 缓存", "量子计算的原理？", [Source("手册", REDIS)])
    assert (made.is_outline, made.quoted) == (True, ())
    assert "没有与该主题相关的句子" in made.content
    assert made.content.startswith("> 规则生成·未使用大模型\n")


@pytest.mark.parametrize("sources", [[], [Source("empty", "")], [Source("table", "| a |\n|---|\n| b |")]])
def test_without_anything_to_quote_there_is_an_outline_only(sources):
    made = articles.article("sourdough", "What is sourdough?", sources)
    assert made.is_outline
    assert "Outline only" in made.text
    assert made.data.empty
    prose = [line for line in made.text.splitlines() if line and line[0] not in "#>*("]
    assert prose == []


def test_a_section_without_a_fitting_sentence_says_so():
    made = compose("拼图", "如何避免缓存雪崩？", [Source("手册", REDIS)])
    assert made.empty == ("关于“拼图”的更多资料",)
    assert "所提供的资料中没有与本节相关的句子。" in made.content


def test_the_same_thing_is_not_said_twice():
    text = "缓存雪崩是指大量缓存同时失效。缓存雪崩是指大量缓存同时失效了。缓存雪崩可以用随机过期时间避免。"
    best = Ranking(sentences_of([Source("a", text)])).best("缓存雪崩", 2)
    assert [each.text for each in best] == ["缓存雪崩是指大量缓存同时失效。", "缓存雪崩可以用随机过期时间避免。"]


def test_question_words_alone_find_nothing():
    ranking = Ranking(sentences_of([Source("a", REDIS), Source("b", BREAD)]))
    assert ranking.best("为什么是什么？如何怎么？", 5) == []
    assert ranking.best("What is it and why?", 5) == []
    assert tokens("什么是 the and") == {}


def test_languages_are_told_by_their_script():
    assert [language_of(each) for each in ("Redis", "Redis缓存", "𠀀", "")] == ["en", "zh-hans", "zh-hans", "en"]


@given(st.text(max_size=300), st.text(max_size=50), st.text(max_size=50))
def test_nothing_is_ever_invented(text, keyword, topic):
    made = compose(keyword, topic, [Source("s", text)])
    squeezed = "".join(text.replace("\x00", "").split())
    for each in made.quoted:
        assert "".join(each.text.split()) in squeezed
    assert made == compose(keyword, topic, [Source("s", text)])


def test_a_long_source_is_ranked_in_no_time():
    text = "".join(f"第{number}条：缓存雪崩的第{number}种情形需要随机过期时间。" for number in range(5000))
    began = time.process_time()
    compose("缓存", "缓存雪崩有哪些情形？", [Source("long", text)])
    assert time.process_time() - began < 2
