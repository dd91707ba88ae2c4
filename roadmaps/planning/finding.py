"""Which topics, which level and which time a text names."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from roadmaps.catalogue import Topic, catalogue
from roadmaps.choices import Level
from roadmaps.wishes import Wish

# the language something is taught in is no topic, unless nothing else is named
TAUGHT_IN = re.compile(r"\bin (?:english|chinese)\b|用(?:中文|汉语|英文|英语)(?!写)")
LEVELS = {
    Level.BEGINNER.value: re.compile(r"\b(?:beginners?|basics?|from scratch|introduction)\b|入门|零基础|初学|新手"),
    Level.INTERMEDIATE.value: re.compile(r"\bintermediate\b|中级|进阶"),
    Level.ADVANCED.value: re.compile(r"\b(?:advanced|expert)\b|高级|精通"),
}
WEEKS = {"week": 1, "周": 1, "个星期": 1, "month": 4, "个月": 4}
NUMBERS = {
    **{"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "six": 6, "两": 2},
    **{digit: number for number, digit in enumerate("一二三四五六七八九十", start=1)},
}
IN_WEEKS = re.compile(r"\b(?:in|within|for) (\d{1,3}|a|one|two|three|four|six)[ -](week|month)s?\b")
IN_CHINESE_WEEKS = re.compile(r"(?<![每第\d十])(\d{1,3}|[一二两三四五六七八九十])(周|个星期|个月)(?:之?以?内|时间|学)")
BESIDE_HAN = re.compile(r"(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])")


def topics_of(text: str) -> list[Topic]:
    """The topics that a text names, each once, in the order in which they come."""
    plain = _folded(text)
    return _named(TAUGHT_IN.sub(" ; ", plain)) or _named(plain)


def weeks_of(text: str) -> int | None:
    """How many weeks a text gives ("in 4 weeks", "两个月内"), a month counted as four; None when it does not say."""
    plain = _folded(text)
    found = IN_WEEKS.search(plain) or IN_CHINESE_WEEKS.search(plain)
    if not found:
        return None
    number, unit = found.groups()
    return (NUMBERS.get(number) or int(number)) * WEEKS[unit] or None


def level_of(wish: Wish) -> str:
    """The level of the wish. One that its query names counts when the wish says no more than the default."""
    plain = _folded(wish.query)
    named = [level for level, pattern in LEVELS.items() if pattern.search(plain)]
    return named[0] if wish.level == Level.BEGINNER and len(named) == 1 else wish.level


def _named(plain: str) -> list[Topic]:
    """Those with a sure name; only where there is none, those with a vague one."""
    found: dict[str, Topic] = {}
    for vague in (False, True):
        pattern, owners = _names(vague=vague)
        for hit in [] if found else pattern.findall(plain):
            found.setdefault(owners[hit].key, owners[hit])
    return list(found.values())


@cache
def _names(*, vague: bool) -> tuple[re.Pattern[str], dict[str, Topic]]:
    """All names, the longest first, so that no shorter one is found inside it."""
    owners: dict[str, Topic] = {}
    for topic in catalogue().topics:
        for name in topic.vague if vague else (topic.en, topic.zh, *topic.aliases):
            owners.setdefault(_folded(name), topic)
    return re.compile("|".join(_bounded(name) for name in sorted(owners, key=lambda name: (-len(name), name)))), owners


def _bounded(name: str) -> str:
    """Latin letters at an end have no other Latin letter beside them; Chinese is written without bounds."""
    before = r"(?<![a-z0-9])" if re.match(r"[a-z0-9]", name) else ""
    after = r"(?![a-z0-9+#])" if re.search(r"[a-z0-9]$", name) else ""
    return f"{before}{re.escape(name)}{after}"


def _folded(text: str) -> str:
    """In one case and width; a space beside a Chinese character means nothing."""
    return BESIDE_HAN.sub("", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))
