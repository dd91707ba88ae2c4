"""The sample workspace of this app, loaded once by `manage.py load_sample`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from distillations.keywords import distil_by_hand, request_distillation
from distillations.models import ArticleSetting, ConversionTarget, Distillation, KnowledgeBase, KnowledgeDocument
from distillations.services import GenerationOptions, request_generation

ZH_KEYWORDS = (
    "少儿编程", "英语口语", "考研辅导", "课后托管", "围棋培训", "书法课程", "数学思维", "钢琴陪练", "科学实验课",
    "阅读写作", "体能训练", "机器人竞赛", "留学咨询", "职业技能培训", "公务员考试", "教师资格证", "编导艺考",
    "家庭教育指导", "夏令营", "研学旅行", "在线题库", "错题本软件", "校园餐饮", "护眼台灯",
)  # fmt: skip
ZH_QUESTIONS = (
    "{}哪家好？", "{}怎么选？", "{}一般多少钱？", "{}适合几岁的孩子？", "{}有什么用？", "{}需要学多久？",
    "{}线上和线下哪个好？",
)  # fmt: skip
EN_KEYWORDS = (
    "coding for children", "speech training", "exam tutoring", "after-school care", "chess lessons", "handwriting",
    "mental arithmetic", "piano practice", "science kits", "creative writing", "robot contests", "study abroad advice",
    "teacher training", "summer camps", "online exercises", "school meals",
)  # fmt: skip
EN_QUESTIONS = (
    "Which {} is good?", "How do I choose {}?", "What does {} cost?", "At what age does {} make sense?",
    "How long does {} take?", "Is {} better online or on site?",
)  # fmt: skip
BARE = "护眼台灯"  # has no topic, so that no article can be made from it
DOCUMENTS = {
    "课程说明": "课程每周两次，每次九十分钟。小班教学，每班不超过八人。试听课免费，不满意可以全额退款。"
    "教师均有三年以上教学经验。",
    "How to choose": "Look at a trial lesson before you pay. A small group gives every child time to speak. Ask who "
    "teaches, how long they have taught, and what happens when a lesson is missed. A good course says what it does "
    "not cover.",
}


def load(operator: Any) -> list[str]:
    """Fill an empty room with keywords and materials, and ask the workers for a distillation and two tasks.

    What was done, in words; all of it or nothing. Articles are asked for only where rules write them: a language
    model would cost somebody's money.
    """
    if Distillation.objects.exists():
        return []
    with transaction.atomic():
        return [*_keywords(operator), *_wishes(operator, _materials())]


def _keywords(operator: Any) -> list[str]:
    for keywords, questions in ((ZH_KEYWORDS, ZH_QUESTIONS), (EN_KEYWORDS, EN_QUESTIONS)):
        for keyword in keywords:
            made = distil_by_hand(keyword, [question.format(keyword) for question in questions], actor=operator)
            if keyword == BARE:
                made.topics.all().delete()
    return [_("%(count)s keywords with their questions") % {"count": len(ZH_KEYWORDS) + len(EN_KEYWORDS)}]


def _materials() -> dict[str, int]:
    target = ConversionTarget.objects.create(
        company_name="示例学习中心", industry="教育培训", website="https://example.org", address="示例路 1 号"
    )
    setting = ArticleSetting.objects.create(
        name="问答文章",
        prompt="请围绕“{keyword}”写一篇文章，回答：{topicsList}。可引用：{knowledgeBase}。机构：{companyName}，{companyWebsite}。",
    )
    shelf = KnowledgeBase.objects.create(name="示例资料", description="课程说明与选课建议")
    for title, content in DOCUMENTS.items():
        KnowledgeDocument.objects.create(knowledge_base=shelf, title=title, content=content)
    return {"conversion_target_id": target.pk, "article_setting_id": setting.pk, "knowledge_base_id": shelf.pk}


def _wishes(operator: Any, materials: dict[str, int]) -> list[str]:
    if settings.LLM_PROVIDER != "rules":
        return []
    request_distillation("智能手表", 8, actor=operator, requested_by=operator)
    chosen = Distillation.objects.get(keyword=ZH_KEYWORDS[0])
    for wish in (
        GenerationOptions(requested_count=5, **materials),
        GenerationOptions(requested_count=3, distillation_id=chosen.pk, **materials),
    ):
        request_generation(wish, actor=operator, requested_by=operator)
    return [_("a distillation and two generation tasks, waiting for a worker")]
