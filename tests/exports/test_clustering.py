"""Near-identical stories are found; reports of one kind with other numbers are not taken for one."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import pytest

from exports.choices import Likeness
from exports.clustering import cluster, compare, text_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Story(NamedTuple):
    article_id: str
    title: str
    summary: str = ""
    score: Decimal | None = Decimal(80)
    published_at: datetime | None = NOON


WIRE = (
    "教育部公布义务教育阶段课后服务指导意见",
    "教育部今天公布义务教育阶段课后服务指导意见，要求各地学校从新学期开始全面开展课后服务，服务时间与当地正常下班"
    "时间相衔接，不得借课后服务名义集体教学或者补课。意见还提出，经费通过财政补贴和代收费等方式筹措，参与教师应当"
    "获得合理补助。学生是否参加由家长自愿选择，学校不得强制。",
)
PRICES = (
    "国家统计局：{month}月居民消费价格同比上涨{year}%",
    "国家统计局今天发布数据，{month}月份全国居民消费价格同比上涨{year}%，环比{step}%。其中城市上涨{city}%，农村上涨"
    "{country}%；食品价格上涨{food}%，非食品价格上涨{other}%。统计局有关负责人表示，消费市场运行总体平稳，居民"
    "服务类价格保持稳定，工业消费品价格降幅收窄，各地继续做好重要民生商品保供稳价工作，扎实推进提振消费各项举措落实。",
)
OCTOBER = {
    "month": 10,
    "year": "0.3",
    "step": "下降0.3",
    "city": "0.2",
    "country": "0.5",
    "food": "2.9",
    "other": "0.1",
}
SEPTEMBER = {
    "month": 9,
    "year": "0.4",
    "step": "持平于0.0",
    "city": "0.5",
    "country": "0.6",
    "food": "3.3",
    "other": "0.7",
}
SENTENCES = WIRE[1].split("。")


def wide(text):
    """As a badly set page has it: full-width letters, spaces between characters."""
    return " ".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


PAIRS = {
    "a wire copy with another source's tail": (
        True,
        (WIRE[0], WIRE[1] + "（新华社北京电 记者报道）"),
        (WIRE[0], WIRE[1] + "来源：城市晚报网，转载请注明出处，责任编辑见习。"),
    ),
    "a lead paragraph added": (
        True,
        WIRE,
        (
            "课后服务有了新规",
            "不少家长关心孩子放学以后谁来照看，学校门口的等候区傍晚总是站满了老人。记者走访了三个城区的十多所学校，"
            "听取了校长、教师和家长对新学期安排的看法，也了解到社区托管的现状和收费。各方最关心的是时间与质量。"
            + WIRE[1],
        ),
    ),
    "full and half width, spaces": (True, ("2026年AI课程开课", WIRE[1]), (wide("2026年AI课程开课"), wide(WIRE[1]))),
    "sentences in another order": (True, WIRE, (WIRE[0], "。".join([SENTENCES[2], SENTENCES[1], SENTENCES[0]]))),
    "simplified and traditional": (
        True,
        WIRE,
        (
            "教育部公布義務教育階段課後服務指導意見",
            "教育部今天公布義務教育階段課後服務指導意見，要求各地學校從新學期開始全面開展課後服務，服務時間與當地正常"
            "下班時間相銜接，不得借課後服務名義集體教學或者補課。意見還提出，經費通過財政補貼和代收費等方式籌措，參與"
            "教師應當獲得合理補助。學生是否參加由家長自願選擇，學校不得強制。",
        ),
    ),
    "the same template, another month": (
        False,
        tuple(part.format(**OCTOBER) for part in PRICES),
        tuple(part.format(**SEPTEMBER) for part in PRICES),
    ),
    "the same template, another company": (
        False,
        ("远山科技发布年报：营收增长两成",
         "远山科技昨晚发布年报，全年营收增长两成，净利润略有下降，公司称研发投入增加是主因。"),
        ("青禾食品发布年报：利润大幅下滑",
         "青禾食品周三晚间公布年度业绩，收入基本持平，利润大幅下滑，管理层把原因归于原料涨价。"),
    ),
    "the same topic, another event": (
        False,
        WIRE,
        (
            "多所高校公布强基计划招生简章",
            "本周多所高校陆续公布强基计划招生简章，考生可登录平台报名。今年部分高校扩大了数学与物理类专业的名额，并调整"
            "了综合评价办法。",
        ),
    ),
    "an English wire copy": (
        True,
        ("City council approves new school meals plan", "The city council approved a plan on Tuesday to serve free hot "
         "meals in all primary schools from September, officials said. Parents welcomed the decision."),
        ("City Council Approves New School Meals Plan", "The City Council approved a plan on Tuesday to serve free hot "
         "meals in all primary schools from September, officials said.  Parents welcomed the decision. (Harbour Wire)"),
    ),
    "English reports with other numbers": (
        False,
        ("Output rose 3.1% in October", "Factory output rose 3.1% in October, after a gain of 0.4% the month before, "
         "the statistics office said. Exports added 12 points."),
        ("Output rose 2.7% in November", "Factory output rose 2.7% in November, after a gain of 3.0% the month before, "
         "the statistics office said. Exports added 9 points."),
    ),
}  # fmt: skip
PARAPHRASE = (
    WIRE,
    (
        "新学期放学后学校要管到家长下班",
        "记者从主管部门获悉，九月起中小学须普遍提供放学后的照看，时长要能接上父母下班，但不许变相上课。钱由财政贴一部分、"
        "家庭出一部分，老师加班给补贴，孩子留不留由爸妈说了算。",
    ),
)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_made_by_hand_is_decided_as_a_person_would(name):
    same, one, other = PAIRS[name]
    found = cluster([Story("a", *one), Story("b", *other)])
    assert (len(found) == 1) == same, compare(text_of(*one), text_of(*other))


def test_a_paraphrase_is_a_stated_miss():
    one, other = PARAPHRASE
    assert len(cluster([Story("a", *one), Story("b", *other)])) == 2


def test_without_the_number_guard_two_months_would_be_one_story():
    _same, one, other = PAIRS["the same template, another month"]
    october, september = text_of(*one), text_of(*other)
    assert compare(october, september) is None
    assert compare(october._replace(numbers=frozenset()), september) is not None


def test_each_member_says_how_much_it_is_like_the_best_and_why():
    longer = (WIRE[0], PAIRS["a lead paragraph added"][2][1])
    stories = [
        Story("best", *WIRE, score=Decimal(90)),
        Story("spaced", WIRE[0], " ".join(WIRE[1]), score=Decimal(85)),
        Story("tail", WIRE[0], WIRE[1] + "（记者报道）", score=Decimal(80)),
        Story("longer", *longer, score=Decimal(75)),
        Story("other", *PAIRS["the same topic, another event"][2]),
    ]
    first, second = cluster(stories)
    assert [(m.article_id, m.reason) for m in first.members] == [
        ("best", Likeness.BEST),
        ("spaced", Likeness.SAME_TEXT),
        ("tail", Likeness.ALIKE),
        ("longer", Likeness.CONTAINED),
    ]
    assert first.members[0].similarity == first.members[1].similarity == 1.0
    assert 0.6 <= first.members[2].similarity < 1
    assert second.best == "other"


@pytest.mark.parametrize(
    ("stories", "best"),
    [
        ([Story("a", *WIRE, score=Decimal(70)), Story("b", *WIRE, score=Decimal(90))], "b"),
        ([Story("a", *WIRE), Story("b", *WIRE, published_at=NOON - timedelta(hours=1))], "b"),
        ([Story("b", *WIRE), Story("a", *WIRE)], "a"),
        ([Story("a", *WIRE, score=None), Story("b", *WIRE, score=Decimal(1))], "b"),
        ([Story("a", *WIRE, published_at=None), Story("b", *WIRE)], "b"),
    ],
)
def test_the_best_has_the_highest_score_then_is_the_earliest_then_has_the_lowest_id(stories, best):
    (found,) = cluster(stories)
    assert found.best == best


def test_the_order_of_the_input_changes_nothing():
    stories = many(400)
    expected = cluster(stories)
    for seed in range(3):
        shuffled = stories[:]
        randomness(seed).shuffle(shuffled)
        assert cluster(shuffled) == expected


def test_a_chain_of_small_changes_does_not_join_its_ends():
    rng = randomness(5)
    words = [sentence(rng) for _ in range(24)]
    chain = [
        Story(f"{n:02}", "连环", "。".join(words[n : n + 12]), score=Decimal(99 - n)) for n in range(0, 12, 2)
    ]  # each has ten of twelve sentences of the one before
    found = cluster(chain)
    assert all(compare(text_of(*a[1:3]), text_of(*b[1:3])) for a, b in pairwise(chain))
    assert 1 < len(found) < len(chain)
    texts = {story.article_id: text_of(story.title, story.summary) for story in chain}
    for each in found:
        assert all(compare(texts[m.article_id], texts[each.best]) for m in each.members[1:])


def test_a_short_headline_inside_a_long_text_is_not_the_same_story():
    assert len(cluster([Story("a", "课后服务"), Story("b", *WIRE)])) == 2


def test_texts_without_a_letter_are_no_story_in_common():
    assert len(cluster([Story("a", "……", ""), Story("b", "！！", ""), Story("c", "", "")])) == 3


@pytest.mark.parametrize("odd", ["a\0b", "😀" * 50, "x" * 10_000, "\u202e٣٤", "１２３"])
def test_any_text_can_be_compared(odd):
    assert len(cluster([Story("a", odd, odd), Story("b", odd, "汉" + odd)])) in (1, 2)


def test_a_phrase_that_everybody_uses_does_not_hide_a_duplicate():
    rng = randomness(7)
    head = "本报讯（记者）据有关部门今天上午发布的消息"
    stories = [Story(f"{n:03}", head, head + sentence(rng) + sentence(rng)) for n in range(150)]
    copy = Story("copy", head, stories[-1].summary + "（转载）", score=Decimal(50))
    (joined,) = [each for each in cluster([*stories, copy]) if "copy" in [m.article_id for m in each.members]]
    assert joined.best == stories[-1].article_id


def test_planted_duplicates_are_all_found_and_nothing_else():
    stories, pairs = planted(600, 120)
    found = {frozenset(m.article_id for m in each.members) for each in cluster(stories) if len(each.members) > 1}
    assert found == pairs


@pytest.mark.long
def test_five_thousand_articles_with_a_thousand_planted_duplicates_are_told_apart():
    stories, pairs = planted(5_000, 1_000)
    found = {frozenset(m.article_id for m in each.members) for each in cluster(stories) if len(each.members) > 1}
    assert found == pairs


HAN = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈剑号巨阙珠称夜光"


def randomness(seed):
    """The same at every run."""
    return random.Random(seed)  # noqa: S311


def sentence(rng, length=32):
    return "".join(rng.choice(HAN) for _ in range(length))


def many(count):
    return planted(count, count // 4)[0]


def planted(count, copies):
    """`count` stories of twelve sentences; `copies` of them repeat another with one sentence changed."""
    rng = randomness(count)
    bodies = [[sentence(rng) for _ in range(12)] for _ in range(count - copies)]
    stories = [Story(f"s{n:05}", f"第{n}则", "。".join(body)) for n, body in enumerate(bodies)]
    pairs = set()
    for n in range(copies):
        body = list(bodies[n])
        body[rng.randrange(12)] = sentence(rng)
        head = "【转载】" if n % 2 else ""
        stories.append(Story(f"c{n:05}", f"{head}第{n}则", head + "。".join(body), score=Decimal(70)))
        pairs.add(frozenset({f"s{n:05}", f"c{n:05}"}))
    rng.shuffle(stories)
    return stories, pairs
