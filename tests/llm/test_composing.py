"""Without a model the whole way works too, from a keyword to a labelled article on a page."""

import pytest
from django.template import Context, Template
from django.utils import translation
from pydantic import BaseModel, Field

from llm.door import complete
from llm.models import LLMCall
from llm.prompts import Purpose, source, system, user
from llm.rules import articles, markdown, topics
from llm.rules.sentences import Source

pytestmark = pytest.mark.django_db(transaction=True)

NOTES = "缓存雪崩是指大量缓存在同一时间失效。避免缓存雪崩的办法是给过期时间加上随机值。<script>alert(1)</script>"


class Topics(BaseModel):
    topics: list[str] = Field(min_length=5, max_length=30)


def article_on(topic, run, sources):
    return complete(
        [system("You write."), user(topic), *(source(each.title, each.text) for each in sources)],
        purpose=Purpose("article"),
        run=run,
        by_rules=lambda: articles.article("Redis 缓存", topic, sources),
    )


def test_from_a_keyword_to_labelled_articles_on_a_page(run):
    asked = complete(
        [user("Redis 缓存")], schema=Topics, purpose=Purpose("topics"), run=run,
        by_rules=lambda: topics.topics("Redis 缓存", 12),
    )  # fmt: skip
    assert len(asked.data.topics) == 12
    made = article_on("如何避免缓存雪崩？", run, [Source("笔记", NOTES)])
    assert (made.generator_kind, made.model, made.is_outline) == ("rules", None, False)
    assert made.text.startswith("> 规则生成·未使用大模型\n\n# 如何避免缓存雪崩？")
    page = Template("{% load llm_text %}{{ made.generator_label }}{{ made.text|model_markdown }}")
    for language, label in (("en", "Rule-based, no language model"), ("zh-hans", "规则生成·未使用大模型")):
        with translation.override(language):
            html = page.render(Context({"made": made}))
        assert html.startswith(label)
        assert "<blockquote>\n<p>规则生成·未使用大模型</p>" in html
        assert "给过期时间加上随机值。 [1]" in html
        assert "<script" not in html
    assert LLMCall.objects.count() == 0


def test_every_topic_without_sources_is_an_outline(run):
    for topic in topics.questions("Redis 缓存", 30):
        made = article_on(topic, run, [])
        assert made.is_outline
        assert "仅为提纲" in made.text


def test_a_document_becomes_data_by_rules(run):
    made = complete(
        [user("…")], purpose=Purpose("document"), run=run,
        by_rules=lambda: markdown.structured("# 合同\n\n金额：1,200.50\n"),
    )  # fmt: skip
    assert made.data["sections"][0]["fields"] == {"金额": "1,200.50"}
    assert made.generator_name == "rules-structure/1"
