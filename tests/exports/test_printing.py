"""The text of a brief: fields, order, marks, what is left out, and nothing else touched."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from exports.printing import Layout, Section, Story, check_layout, chinese_number, layout_of, print_brief

DAY = date(2026, 7, 8)
INSIDE = Section("jingnei_positive", "internal", "positive", "News", marker="■")
TROUBLE = Section("jingnei_negative", "internal", "negative", "Trouble", marker="★")
OUTSIDE = Section("jingwai_positive", "external", "positive", "Elsewhere", marker="▲")


def layout(*sections, **values):
    texts = {
        "header": "{tag} {date}",
        "section_heading": "[{heading}]",
        "entry": "{mark}{title}\n{summary}（{source}）",
    }
    return Layout(**({"slug": "own", "sections": sections or (TROUBLE, INSIDE, OUTSIDE)} | texts | values))


def story(article_id="a", **values):
    usual = {"title": article_id.upper(), "summary": "S", "source": "Daily", "region": "internal"}
    return Story(article_id, **(usual | {"sentiment": "positive"} | values))


def printed(*stories, of=None, **options):
    return print_brief(of or layout(), stories, tag="tag", date=DAY, **options)


def order(*stories, **options):
    return [each.story.article_id for each in printed(*stories, **options).placed]


def test_a_text_is_header_sections_and_entries_with_blank_lines_between():
    found = printed(story("a"), story("b", sentiment="negative"), story("c"))
    assert found.text == (
        "tag 2026-07-08\n\n[Trouble]\n★ B\nS（Daily）\n\n[News]\n■ A\nS（Daily）\n\n■ C\nS（Daily）\n"
    )
    assert found.category_counts == {"Trouble": 1, "News": 2, "Elsewhere": 0}
    assert [(each.section, each.heading) for each in found.placed] == [
        ("jingnei_negative", "Trouble"), ("jingnei_positive", "News"), ("jingnei_positive", "News"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{title}", "{0}", "{tag}{tag}", "{{title}}", "%s %(x)s", "\\1", "{mark"])
def test_a_value_that_looks_like_a_field_stays_as_it_is(text):
    assert f"■ {text}\n{text}（{text}）" in printed(story(title=text, summary=text, source=text)).text


def test_brackets_around_nothing_and_lines_of_nothing_are_left_out():
    own = layout(entry="{mark}{title} [{score}]\n{url}\n{summary}（{source}）（importance={importance}）\n--")
    assert printed(story(source=""), of=own).text.endswith("■ A\nS\n--\n")
    whole = story(url="https://x", score=Decimal("7.500"), importance=Decimal("80.000"))
    assert printed(whole, of=own).text.endswith("■ A [7.5]\nhttps://x\nS（Daily）（importance=80）\n--\n")


def test_line_breaks_in_a_title_become_a_space_and_a_summary_keeps_its_own():
    text = printed(story(title="two\r\n  lines\u2028more", summary=" one\r\ntwo\u2029three \n")).text
    assert "■ two lines more\none\ntwo\nthree（Daily）" in text


def test_letters_are_not_normalised():
    composed, decomposed = "é", "e\u0301"
    text = printed(story(title=f"{composed}{decomposed}", summary="　全角 ＡＢ")).text
    assert f"{composed}{decomposed}" in text
    assert "全角 ＡＢ" in text


def test_the_editors_order_is_the_printed_order():
    stories = [
        story("late", rank=9, importance=Decimal(99)), story("first", rank=1), story("between", rank=1.5),
        story("unranked-heavy", importance=Decimal(90), score=Decimal(1)),
        story("unranked-light", importance=Decimal(10), score=Decimal(99)),
        story("unranked-nothing"), story("unranked-scored", score=Decimal(1)),
    ]  # fmt: skip
    expected = [
        "first", "between", "late", "unranked-heavy", "unranked-light", "unranked-scored", "unranked-nothing",
    ]  # fmt: skip
    assert order(*stories) == order(*reversed(stories)) == expected


def test_ties_go_to_the_newer_then_by_id():
    stories = [story("b"), story("a"), story("old", published_at=datetime(2026, 1, 1, tzinfo=UTC)),
               story("new", published_at=datetime(2026, 2, 1, tzinfo=UTC))]  # fmt: skip
    assert order(*stories) == ["new", "old", "a", "b"]


def test_clusters_stand_as_given_with_a_separator_between_two():
    own = layout(cluster_separator="---", entry="{title}")
    stories = [story("z", cluster=1), story("y", cluster=1, score=Decimal(99)), story("x", cluster=2)]
    assert printed(*stories, of=own).text == "tag 2026-07-08\n\n[News]\nZ\n\nY\n\n---\n\nX\n"


def test_an_unknown_region_is_external_and_an_unknown_sentiment_positive():
    found = printed(
        story("a", region="unknown", sentiment="unknown"), story("b", region="internal", sentiment="unknown")
    )
    assert {each.story.article_id: each.section for each in found.placed} == {
        "a": "jingwai_positive", "b": "jingnei_positive",
    }  # fmt: skip


def test_an_articles_own_section_counts_only_where_the_template_names_it():
    found = printed(story("a", section="jingnei_negative"), story("b", section="sports"))
    assert {each.story.article_id: each.heading for each in found.placed} == {"a": "Trouble", "b": "News"}


def test_what_has_no_section_or_no_summary_is_listed_with_the_reason():
    found = printed(story("a", summary=" \n"), story("b"), of=layout(TROUBLE, INSIDE))
    outside = printed(story("c", region="external"), of=layout(INSIDE))
    assert [(each.article_id, each.reason) for each in found.not_printed] == [("a", "no-summary")]
    assert [(each.article_id, each.reason) for each in outside.not_printed] == [("c", "bucket-not-in-template")]
    assert (outside.text, outside.sha256, outside.placed) == ("", "", [])


def test_chinese_numbers_are_right_to_ninety_nine():
    few = [chinese_number(number) for number in (1, 2, 9, 10, 11, 15, 19, 20, 21, 30, 55, 90, 99)]
    assert " ".join(few) == "一 二 九 十 十一 十五 十九 二十 二十一 三十 五十五 九十 九十九"
    assert len({chinese_number(number) for number in range(1, 100)}) == 99
    assert chinese_number(100) == "100"


def test_entries_are_numbered_within_their_section():
    chinese = Section("jingnei_positive", "internal", "positive", "一览", numbering="chinese")
    arabic = Section("jingwai_positive", "external", "positive", "Abroad", numbering="arabic")
    own = layout(chinese, arabic, entry="{mark}{title}")
    text = printed(story("a"), story("b"), story("c", region="external"), of=own).text
    assert "一、A\n\n二、B" in text
    assert "[Abroad]\n1. C" in text


def test_a_numbered_header_shows_its_numbers_and_the_date():
    own = layout(header="{year}年第{period}期（总第{total_period}期）\n{year}年{month}月{day}日 {count}")
    text = printed(story(), of=own, numbers={"period": 7, "total_period": 307}).text
    assert text.startswith("2026年第7期（总第307期）\n2026年7月8日 1\n\n")


MARKDOWN = {"is_markdown": True, "header": "# {tag}", "section_heading": "## {heading}"}


def test_markdown_in_values_is_text_to_markdown():
    own = layout(entry="**{title}** {summary} <{url}>", **MARKDOWN)
    evil = story(title="*a* [x](javascript:alert(1)) <script> `c` \\ & | ~", summary="# no\n- no\n1. no\n    no\n> no")
    text = printed(evil, of=own).text
    assert "**\\*a\\* \\[x\\](javascript:alert(1)) \\<script\\> \\`c\\` \\\\ \\& \\| \\~** \\# no" in text
    assert "\n\\- no\n1\\. no\nno\n\\> no" in text
    assert "<>" not in text


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//x", "", "http://[", "x y"])
def test_an_address_that_is_no_web_address_is_not_linked(address):
    own = layout(entry="{title} <{url}>", **MARKDOWN)
    assert printed(story(url=address), of=own).text.endswith("## News\n\nA\n")


def test_a_web_address_cannot_leave_its_brackets():
    own = layout(entry="[{title}]({url})", **MARKDOWN)
    text = printed(story(url="https://x/a b)>(<c?d=1&e=_"), of=own).text
    assert text.endswith("[A](https://x/a%20b%29%3E%28%3Cc?d=1&e=_)\n")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=3, max_size=3))
def test_any_text_is_printed_once_and_the_hash_is_that_of_its_bytes(texts):
    title, summary, source = texts
    for own in (layout(), layout(**MARKDOWN)):
        found = printed(story(title=title, summary=summary, source=source), of=own)
        assert len(found.placed) + len(found.not_printed) == 1
        assert len(found.sha256) == (64 if found.placed else 0)
        assert found.text == print_brief(own, [each.story for each in found.placed], tag="tag", date=DAY).text


def faults_of(**texts):
    usual = {"header": "{tag}", "section_heading": "{heading}", "entry": "{title}", "is_numbered": False}
    with pytest.raises(ValidationError) as refused:
        check_layout(**(usual | texts))
    return {field: [each.code for each in found] for field, found in refused.value.error_dict.items()}


def test_unknown_fields_are_refused_where_they_stand():
    assert faults_of(header="{titel} {date} {x}") == {"header": ["unknown-field"] * 2}
    assert faults_of(section_heading="{title}", entry="{tag}") == {
        "section_heading": ["unknown-field"], "entry": ["unknown-field"],
    }  # fmt: skip
    assert faults_of(header="{period}") == {"header": ["unknown-field"]}
    check_layout(header="{period} { } {a b} {", section_heading="", entry="{mark}", is_numbered=True)


def test_shipped_templates_have_no_unknown_fields(shipped_templates):
    for template in shipped_templates.values():
        texts = {name: getattr(template, name) for name in ("header", "section_heading", "entry", "is_numbered")}
        check_layout(**texts)


@pytest.mark.parametrize(
    ("slug", "text"),
    [
        (
            "zongbao",
            "首都教育每日舆情综报\n2026年第3期（总第9期）\n2026年7月8日\n\n"
            "【重点关注舆情】\n★ N\nS（Daily）\n\n【新闻信息纵览】\n■ P\nS（Daily）\n\n"
            "【国内教育热点】\n▲ ON\nS（Daily）\n",
        ),
        (
            "wanbao",
            "首都教育舆情\n总第9期\n2026年7月8日\n\n【舆情速览】\n一、P\nS（Daily）\n\n【舆情参考】\n一、OP\nS（Daily）\n",
        ),
        (
            "markdown",
            "# Brief tag\n\n2026-07-08, 4 articles\n\n## Internal, positive (1)\n\n### 1. P\n\nS (Daily)\n\n"
            "## Internal, negative (1)\n\n### 1. N\n\nS (Daily)\n\n## External, positive (1)\n\n### 1. OP\n\nS (Daily)"
            "\n\n## External, negative (1)\n\n### 1. ON\n\nS (Daily)\n",
        ),
        (
            "brief",
            "【京内正面】共 1 条\nP\nS（Daily）（external_importance=80.5）\n\n【京内负面】共 1 条\nN\nS（Daily）\n\n"
            "【京外正面】共 1 条\nOP\nS（Daily）\n\n【京外负面】共 1 条\nON\nS（Daily）\n",
        ),
    ],
)
def test_the_shipped_templates_print_what_the_papers_look_like(shipped_templates, slug, text):
    stories = [
        story("op", region="external"), story("on", region="external", sentiment="negative"),
        story("p", importance=Decimal("80.500")), story("n", sentiment="negative"),
    ]  # fmt: skip
    own = layout_of(shipped_templates[slug])
    found = printed(*stories, of=own, numbers={"period": 3, "total_period": 9})
    assert found.text == text
    codes = {"jingnei_positive", "jingnei_negative", "jingwai_positive", "jingwai_negative"}
    assert {each.section for each in own.sections} <= codes
