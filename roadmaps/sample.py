"""The sample workspace of this app, loaded once by `manage.py load_sample`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import ngettext

from config.language_model import RULES
from roadmaps.choices import Level
from roadmaps.models import RoadmapTask
from roadmaps.services import request_roadmap
from roadmaps.wishes import Wish

WISHES = (
    (Wish("Learn Redis", hours_per_week=6, motivation="Our shop's pages are slow and shall be cached."), False),
    (Wish("学习 Python 数据分析", hours_per_week=5, background="会用电子表格", motivation="做月度销售报表"), False),
    (Wish("学习 Docker", level=Level.INTERMEDIATE.value, hours_per_week=8), True),
)


def load(operator: Any) -> list[str]:
    """Ask the workers for a roadmap in each language, and for one that waits for a review; what was done, in words.

    Only where rules make them: a language model would cost somebody's money.
    """
    if RoadmapTask.objects.exists() or settings.LLM_PROVIDER != RULES:
        return []
    with transaction.atomic():
        for wish, human_review in WISHES:
            request_roadmap(wish, human_review=human_review, user=operator)
    many = len(WISHES)
    message = ngettext("%(count)s roadmap, waiting for a worker", "%(count)s roadmaps, waiting for a worker", many)
    return [message % {"count": many}]
