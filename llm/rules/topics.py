"""Search questions about a keyword, from patterns of questions people ask."""

from __future__ import annotations

from llm.completions import Composed
from llm.prompts import clean
from llm.rules.scripts import CHINESE, language_of

NAME = "rules-questions/1"
FEWEST, MOST = 5, 30

ENGLISH_PATTERNS = (
    "What is {k}?",
    "How does {k} work?",
    "Why does {k} matter?",
    "How do I get started with {k}?",
    "What does {k} cost?",
    "What are the advantages and disadvantages of {k}?",
    "How do I choose the right {k}?",
    "What mistakes are common with {k}?",
    "What are the alternatives to {k}?",
    "Who needs {k}?",
    "When is {k} worth it?",
    "What are best practices for {k}?",
    "Which problems does {k} solve?",
    "What should I check before deciding on {k}?",
    "How is the quality of {k} measured?",
    "What do beginners need to know about {k}?",
    "What risks does {k} have?",
    "How long does {k} take?",
    "Which trends are there in {k}?",
    "What do experts recommend for {k}?",
    "How do I compare offers for {k}?",
    "Which rules and standards apply to {k}?",
    "How do I maintain and improve {k}?",
    "What examples of {k} are there?",
    "Which questions about {k} are asked most often?",
    "What belongs to {k} and what does not?",
    "How do I recognise good {k}?",
    "What comes after {k}?",
    "Which tools help with {k}?",
    "How do I learn more about {k}?",
)
CHINESE_PATTERNS = (
    "{k}是什么？",
    "{k}的原理是什么？",
    "为什么需要{k}？",
    "{k}如何入门？",
    "{k}多少钱？费用由哪些部分组成？",
    "{k}有哪些优点和缺点？",
    "如何选择合适的{k}？",
    "{k}有哪些常见误区？",
    "{k}有哪些替代方案？",
    "{k}适合哪些人群？",
    "什么情况下值得做{k}？",
    "{k}的最佳实践有哪些？",
    "{k}能解决哪些问题？",
    "选择{k}之前要确认哪些事项？",
    "怎样衡量{k}的质量？",
    "新手了解{k}需要知道什么？",
    "{k}有哪些风险？",
    "{k}需要多长时间？",
    "{k}的发展趋势如何？",
    "专家对{k}有哪些建议？",
    "如何对比不同的{k}方案？",
    "{k}有哪些规范和标准？",
    "{k}如何维护和改进？",
    "{k}有哪些案例？",
    "关于{k}最常见的问题有哪些？",
    "{k}包括哪些内容？",
    "如何辨别好的{k}？",
    "{k}的下一步该怎么做？",
    "{k}有哪些常用工具？",
    "如何深入学习{k}？",
)


def topics(keyword: str, count: int) -> Composed:
    """`count` different questions about the keyword, in its language; the data is {"topics": […]}.

    ValueError for an empty keyword or a count that is not between 5 and 30.
    """
    return Composed(data={"topics": questions(keyword, count)}, name=NAME)


def questions(keyword: str, count: int) -> list[str]:
    """The questions themselves: the same for the same keyword, the general ones first."""
    if not FEWEST <= count <= MOST:
        raise ValueError(f"From {FEWEST} to {MOST} topics can be made, not {count}.")
    named = " ".join(clean(keyword).split())
    if not named:
        raise ValueError("A keyword is needed.")
    patterns = CHINESE_PATTERNS if language_of(named) == CHINESE else ENGLISH_PATTERNS
    return [pattern.replace("{k}", named) for pattern in patterns[:count]]
