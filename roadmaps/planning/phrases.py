"""The planner's own words. They follow the language of the wish, which need not be that of the screen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

PHRASES = {
    "en": {
        "unknown": "“{query}” is not in the catalogue that works without a language model. It knows: {known}.",
        "goal": "Learn {topics} (level: {level}).",
        "level.beginner": "beginner",
        "level.intermediate": "intermediate",
        "level.advanced": "advanced",
        "difficulty.easy": "easy",
        "difficulty.medium": "medium",
        "difficulty.hard": "hard",
        "profile.beginner": "From the beginning: the basics of what the topic needs, then all of the topic.",
        "profile.intermediate": "Needed topics and the easy concepts of the first module are taken as known.",
        "profile.advanced": "Needed topics and all easy concepts are taken as known.",
        "time.open": "{weekly} hours a week, no deadline.",
        "time.weeks": "{weekly} hours a week for {weeks} weeks, as the wish says: {budget} hours.",
        "time.deadline": "{weekly} hours a week until {deadline}: {budget} hours.",
        "time.past": "{weekly} hours a week. The deadline {deadline} leaves no time and is not counted.",
        "said.background": "Background, as written in the wish: {text}",
        "said.motivation": "Motivation, as written in the wish: {text}",
        "gap": "{topic} needs the basics of {needed}. The wish does not say they are known, so they are included.",
        "known": "{needed} is named in the background, so its basics are left out.",
        "harder": "{topic} is for a level above this one ({level}) on the whole; allow more time for hard concepts.",
        "later": "The wish names more topics than one roadmap holds; left for another one: {topics}.",
        "title": "{topics}: {level} roadmap",
        "basics": "Basics of {topic}",
        "basics.about": "What {wanted} builds on.",
        "part": "{name}, part {number}",
        "stage": "{word}: {topics}",
        "stage.0": "Foundations",
        "stage.1": "Core",
        "stage.2": "Application",
        "stage.3": "Depth",
        "stage.4": "Mastery",
        "order": "Made by rules from the bundled catalogue, without a language model. Order: {topics}.",
        "dropped": "Left out to stay within {budget} hours: {names}.",
        "skipped": "Taken as known at this level: {names}.",
        "too-short": "Even the shortest roadmap takes {hours} hours, more than the {budget} there are.",
        "notice": "An outline made by rules from the bundled catalogue. No language model was used.",
        "notice.own": "An outline made by rules from the roadmap's own description. No language model was used.",
        "tutorial.what": "What it is",
        "tutorial.terms": "Terms to know",
        "tutorial.before": "Before this",
        "tutorial.nothing": "Nothing in this roadmap has to come first.",
        "tutorial.fits": "How it fits",
        "tutorial.place": "Stage “{stage}”, module “{module}”. Difficulty: {difficulty}, about {hours} hours.",
        "tutorial.next": "Builds on it: {names}.",
        "tutorial.beside": "In the same module: {names}.",
        "tutorial.try": "What to try",
        "try.explain": "Explain “{name}” in your own words, without looking at the text above.",
        "try.term": "Find an example of your own for “{term}”.",
        "try.compare": "Say how “{name}” differs from “{other}”.",
        "quiz.concept": "Which concept's description begins with this sentence? “{sentence}”",
        "quiz.cloze": "Which term is missing in this sentence about “{name}”? “{sentence}”",
        "quiz.about": "True or false: this sentence belongs to the description of “{name}”. “{sentence}”",
        "quiz.speaks": "True or false: the description of “{name}” speaks of “{term}”.",
        "quiz.terms": "Which of these terms belong to “{name}”?",
        "quiz.before": "Which of these concepts has to be learnt before “{name}” in this roadmap?",
        "quiz.true": "True",
        "quiz.false": "False",
        "quiz.term.of": "“{term}” belongs to “{name}”.",
        "quiz.of": "This sentence is about “{name}”.",
        "quiz.said": "“{sentence}”",
        "quiz.terms.why": "The description of “{name}” speaks of: {terms}.",
        "quiz.before.why": "“{before}” is a prerequisite of “{name}”.",
        "quiz.short": "The description of “{name}” is too short to make questions of without a language model.",
        "mend.done": "Mended by rules: {changes}.",
        "mend.nothing": "The rules found nothing to mend; nothing was changed.",
        "mend.hopeless": "No stage has a concept, so rules cannot mend it; nothing was changed.",
        "mend.empty": "dropped empty parts ({names})",
        "mend.repeated": "gave repeated ids their own numbers ({names})",
        "mend.missing": "dropped prerequisites that are not in the roadmap ({names})",
        "mend.cycle": "cut circles of prerequisites ({names})",
        "mend.total": "corrected the sum of the hours",
        "feedback.removed": "removed “{name}”",
        "feedback.shortened": "“{name}” now takes {hours} hours",
        "feedback.refused": "Without a language model, rules can only remove or shorten a concept or module named "
        "exactly. Not followed: {texts}.",
        "feedback.unchanged": "Nothing was changed.",
        "and": " and ",
        "comma": ", ",
        "stop": " ",
    },
    "zh": {
        "unknown": "“{query}”不在无需大模型的内置目录中。目录包含：{known}。",
        "goal": "学习{topics}（水平：{level}）。",
        "level.beginner": "入门",
        "level.intermediate": "进阶",
        "level.advanced": "高级",
        "difficulty.easy": "容易",
        "difficulty.medium": "中等",
        "difficulty.hard": "较难",
        "profile.beginner": "从头开始：先学前置主题的基础，再学主题的全部内容。",
        "profile.intermediate": "视为已掌握：前置主题，以及第一个模块中的容易概念。",
        "profile.advanced": "视为已掌握：前置主题，以及所有容易的概念。",
        "time.open": "每周 {weekly} 小时，无截止日期。",
        "time.weeks": "按需求所写，每周 {weekly} 小时，共 {weeks} 周，合计 {budget} 小时。",
        "time.deadline": "每周 {weekly} 小时，截止 {deadline}，共 {budget} 小时。",
        "time.past": "每周 {weekly} 小时。截止日期 {deadline} 已没有剩余时间，不计入。",
        "said.background": "需求中写明的背景：{text}",
        "said.motivation": "需求中写明的动机：{text}",
        "gap": "{topic}需要{needed}的基础。需求没有说明已掌握，因此包含在内。",
        "known": "背景中提到了{needed}，因此不再包含其基础。",
        "harder": "总体而言，{topic}适合更高的水平（{level}）；请为其中较难的概念多留时间。",
        "later": "需求提到的主题超出一份路线图的容量，留待以后：{topics}。",
        "title": "{topics}{level}学习路线图",
        "basics": "{topic}基础",
        "basics.about": "{wanted}所依赖的内容。",
        "part": "{name}（{number}）",
        "stage": "{word}：{topics}",
        "stage.0": "基础",
        "stage.1": "核心",
        "stage.2": "应用",
        "stage.3": "深入",
        "stage.4": "精通",
        "order": "由规则根据内置目录生成，未使用大模型。顺序：{topics}。",
        "dropped": "为不超过 {budget} 小时而省略：{names}。",
        "skipped": "按此水平视为已掌握：{names}。",
        "too-short": "最短的路线图也需要 {hours} 小时，超过可用的 {budget} 小时。",
        "notice": "本提纲由规则根据内置目录生成，未使用大模型。",
        "notice.own": "本提纲由规则根据路线图自身的描述生成，未使用大模型。",
        "tutorial.what": "是什么",
        "tutorial.terms": "需要掌握的术语",
        "tutorial.before": "先修内容",
        "tutorial.nothing": "本路线图中没有必须先学的内容。",
        "tutorial.fits": "所处位置",
        "tutorial.place": "阶段“{stage}”，模块“{module}”。难度：{difficulty}，约 {hours} 小时。",
        "tutorial.next": "以此为基础的内容：{names}。",
        "tutorial.beside": "同一模块的内容：{names}。",
        "tutorial.try": "动手试试",
        "try.explain": "不看上文，用自己的话说明“{name}”。",
        "try.term": "为“{term}”找一个自己的例子。",
        "try.compare": "说明“{name}”与“{other}”有何不同。",
        "quiz.concept": "下面这句话是哪个概念的描述的开头？“{sentence}”",
        "quiz.cloze": "下面这句关于“{name}”的话缺少哪个术语？“{sentence}”",
        "quiz.about": "判断：下面这句话属于对“{name}”的描述。“{sentence}”",
        "quiz.speaks": "判断：对“{name}”的描述提到了“{term}”。",
        "quiz.terms": "下列哪些术语属于“{name}”？",
        "quiz.before": "在本路线图中，学习“{name}”之前必须先学哪个概念？",
        "quiz.true": "正确",
        "quiz.false": "错误",
        "quiz.term.of": "“{term}”属于“{name}”。",
        "quiz.of": "这句话说的是“{name}”。",
        "quiz.said": "“{sentence}”",
        "quiz.terms.why": "“{name}”的描述中提到：{terms}。",
        "quiz.before.why": "“{before}”是“{name}”的先修内容。",
        "quiz.short": "“{name}”的描述太短，不使用大模型无法出题。",
        "mend.done": "规则已修正：{changes}。",
        "mend.nothing": "规则没有发现需要修正之处，未作改动。",
        "mend.hopeless": "没有任何阶段含有概念，规则无法修正，未作改动。",
        "mend.empty": "去掉空的部分（{names}）",
        "mend.repeated": "为重复的编号重新编号（{names}）",
        "mend.missing": "去掉路线图中不存在的先修内容（{names}）",
        "mend.cycle": "断开循环的先修关系（{names}）",
        "mend.total": "更正总学时",
        "feedback.removed": "去掉了“{name}”",
        "feedback.shortened": "“{name}”改为 {hours} 小时",
        "feedback.refused": "不使用大模型时，规则只能去掉或缩短准确点名的概念或模块。未执行：{texts}。",
        "feedback.unchanged": "未作改动。",
        "and": "和",
        "comma": "、",
        "stop": "",
    },
}


# where a Chinese phrase meets a name in Latin letters, a space belongs; what a person wrote is left as it is
SPACED = frozenset({"goal", "title", "gap", "known", "harder", "basics", "basics.about", "stage", "and"})
HAN_BESIDE_LATIN = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9+#])(?=[\u4e00-\u9fff])")


def say(language: str, key: str, **facts: Any) -> str:
    """A phrase with its facts in it."""
    shown = {name: plain(fact) if isinstance(fact, Decimal) else fact for name, fact in facts.items()}
    text = PHRASES[language][key].format(**shown)
    return HAN_BESIDE_LATIN.sub(" ", text) if key in SPACED else text


def plain(number: Decimal) -> str:
    """As one writes it: 6.5 and 16, not 16.0."""
    return f"{number.normalize():f}"


def listed(language: str, names: Iterable[str]) -> str:
    """Names one after another."""
    return PHRASES[language]["comma"].join(names)


def joined(language: str, names: list[str]) -> str:
    """Names as one would say them: the last after “and”."""
    if len(names) < 2:
        return "".join(names)
    return listed(language, names[:-1]) + PHRASES[language]["and"] + names[-1]


def sentences(language: str, parts: Iterable[str]) -> str:
    """Whole sentences one after another; empty ones are left out."""
    return PHRASES[language]["stop"].join(part for part in parts if part)
