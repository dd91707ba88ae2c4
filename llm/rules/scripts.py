"""Which language a text is in, as far as its script tells, and the words it is compared by."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

CHINESE, ENGLISH = "zh-hans", "en"

# Han with its extensions, and kana, which are written without spaces too
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3040-\u30ff"
RUN = re.compile(rf"[{HAN}]+|[^\W{HAN}_]+")
IS_HAN = re.compile(rf"[{HAN}]")

# words that every question has: without them removed, any sentence would answer any question
STOP_PHRASES = (
    "为什么", "是什么", "有什么", "什么时候", "什么样", "什么", "怎么样", "怎么办", "怎么做", "怎么", "怎样", "如何",
    "哪些", "哪个", "哪里", "哪家", "是否", "能否", "可以", "需要", "应该", "我们", "你们", "他们", "这个", "那个",
    "一个", "以及", "或者", "而且", "但是", "因为", "所以", "如果", "就是", "还是", "对于", "关于", "进行", "通过",
    "使用", "多少", "之间", "的", "是", "和", "与", "吗", "呢", "吧",
)  # fmt: skip
STOP_HAN = re.compile("|".join(sorted(map(re.escape, STOP_PHRASES), key=len, reverse=True)))
STOP_WORDS = frozenset(
    RUN.findall(
        "a about an and any are as at be been before but by can could did do does for from get had has have how i if "
        "in into is it its may more most much my need no not of on one or our out should so some than that the their "
        "them then there these they this to use used using was we were what when where which who whom whose why will "
        "with without would you your"
    )
)


def language_of(text: str) -> str:
    """Chinese where any Han character is, else English."""
    return CHINESE if IS_HAN.search(text) else ENGLISH


def tokens(text: str) -> Counter[str]:
    """What a text is compared by: pairs of neighbouring Han characters, whole words of other scripts.

    A pair of characters stands for a word, since nothing says where Chinese words end. Stop words are left out.
    """
    found: Counter[str] = Counter()
    for run in RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if not IS_HAN.match(run):
            if run not in STOP_WORDS:
                found[_stem(run)] += 1
            continue
        for piece in STOP_HAN.split(run):
            found.update(piece[at : at + 2] for at in range(max(1, len(piece) - 1)) if piece)
    return found


def _stem(word: str) -> str:
    """The plural as the singular; no more, since no word may become another."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
