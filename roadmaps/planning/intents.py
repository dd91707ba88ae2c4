"""What a wish means, as far as its words say."""

from __future__ import annotations

import re
from datetime import date

from roadmaps.catalogue import Topic, catalogue, prerequisites
from roadmaps.choices import Level, RoadmapError
from roadmaps.contracts import FormatWeights, Intent, LanguagePreferences
from roadmaps.planning.finding import level_of, topics_of
from roadmaps.planning.phrases import joined, listed, say
from roadmaps.planning.times import time_of
from roadmaps.wishes import Wish
from runs.errors import RunFailed

MOST_TOPICS = 5  # of one roadmap
MOST_PARTS, LONGEST_SLUG = 6, 50
QUICK = 20  # hours
LONGEST_QUOTE = 900
LEVELS = Level.values  # from the easiest
CAREER = re.compile(r"\b(?:job|career|profession|hired|interview)\b|转行|转岗|求职|就业|面试|换工作|职业", re.I)
FORMATS = {
    "visual": re.compile(r"visual|video|diagram|image|视频|图|可视", re.I),
    "text": re.compile(r"text|read|article|book|doc|文字|文本|阅读|文章|书|文档", re.I),
    "audio": re.compile(r"audio|podcast|listen|音频|播客|听", re.I),
    "hands_on": re.compile(r"hands|practi[cs]|project|exercise|interactive|动手|实践|实战|练习|项目", re.I),
}


def intent(wish: Wish, *, today: date | None = None) -> Intent:
    """The goal, the topics and the time of a wish. Raises RunFailed ("unknown-topic") when it names no known topic."""
    named = topics_of(wish.query)
    if not named:
        known = listed(wish.language, known_topics(wish.language))
        raise RunFailed(RoadmapError.UNKNOWN_TOPIC, say(wish.language, "unknown", query=wish.query, known=known))
    wanted, later = named[:MOST_TOPICS], named[MOST_TOPICS:]
    names = [topic.name(wish.language) for topic in wanted]
    time = time_of(wish, today)
    return Intent(
        slug=_slug(wanted),
        parsed_goal=say(
            wish.language,
            "goal",
            topics=joined(wish.language, names),
            level=say(wish.language, f"level.{level_of(wish)}"),
        ),
        key_technologies=names,
        difficulty_profile=say(wish.language, f"profile.{level_of(wish)}"),
        time_constraint=time.text,
        recommended_focus=[module.name(wish.language) for topic in wanted for module in topic.modules][:20],
        user_profile_summary=_said(wish),
        skill_gap_analysis=_gaps(wish, wanted) or None,
        personalized_suggestions=_suggestions(wish, wanted, later) or None,
        estimated_learning_path_type=(
            "career_transition"
            if CAREER.search(f"{wish.query} {wish.motivation}")
            else "quick_start"
            if time.budget is not None and time.budget <= QUICK
            else "deep_dive"
            if level_of(wish) == Level.BEGINNER
            else "skill_upgrade"
        ),
        content_format_weights=_weights(wish.content_preference),
        language_preferences=LanguagePreferences(primary_language=wish.language),
    )


def known_topics(language: str) -> list[str]:
    """The names of all topics of the catalogue, by area."""
    return [topic.name(language) for topic in sorted(catalogue().topics, key=lambda topic: (topic.area, topic.key))]


def needed_topics(wish: Wish, wanted: list[Topic]) -> list[Topic]:
    """Topics whose basics come first: those of beginners, less what they want anyway or say they know."""
    if level_of(wish) != Level.BEGINNER:
        return []
    known = {topic.key for topic in topics_of(wish.background)}
    known |= {each.key for topic in topics_of(wish.background) for each in prerequisites(topic, catalogue().by_key)}
    return [topic for topic in _before(wanted) if topic.key not in known]


def _before(wanted: list[Topic]) -> list[Topic]:
    keys = {topic.key for topic in wanted}
    found = {each.key: each for topic in wanted for each in prerequisites(topic, catalogue().by_key)}
    return [topic for key, topic in found.items() if key not in keys]


def _slug(wanted: list[Topic]) -> str:
    """The keys of the topics, as many whole words as an id holds."""
    parts = "-".join(topic.key for topic in wanted).split("-")[:MOST_PARTS]
    while len("-".join(parts)) > LONGEST_SLUG:
        parts.pop()
    return "-".join(parts)


def _said(wish: Wish) -> str | None:
    """Only what the wish says of the person."""
    told = [
        say(wish.language, f"said.{name}", text=getattr(wish, name)[:LONGEST_QUOTE])
        for name in ("background", "motivation")
        if getattr(wish, name)
    ]
    return "\n".join(told) or None


def _gaps(wish: Wish, wanted: list[Topic]) -> list[str]:
    needed = {topic.key for topic in needed_topics(wish, wanted)}
    return [
        say(wish.language, "gap", topic=topic.name(wish.language), needed=each.name(wish.language))
        for topic in wanted
        for each in map(catalogue().by_key.__getitem__, topic.needs)
        if each.key in needed
    ]


def _suggestions(wish: Wish, wanted: list[Topic], later: list[Topic]) -> list[str]:
    left_out: list[Topic] = []
    if level_of(wish) == Level.BEGINNER:
        needed = needed_topics(wish, wanted)
        left_out = [topic for topic in _before(wanted) if topic not in needed]
    told = [say(wish.language, "known", needed=topic.name(wish.language)) for topic in left_out]
    told += [
        say(wish.language, "harder", topic=topic.name(wish.language), level=say(wish.language, f"level.{topic.level}"))
        for topic in wanted
        if LEVELS.index(topic.level) > LEVELS.index(level_of(wish))
    ]
    if later:
        told.append(say(wish.language, "later", topics=listed(wish.language, [t.name(wish.language) for t in later])))
    return told


def _weights(preferred: tuple[str, ...]) -> FormatWeights | None:
    """Equal parts of the formats that are preferred; None when no known one is."""
    named = [name for name, pattern in FORMATS.items() if any(pattern.search(each) for each in preferred)]
    if not named:
        return None
    return FormatWeights(**{name: 1 / len(named) if name in named else 0 for name in FORMATS})
