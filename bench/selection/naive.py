"""As it is written in a hurry: read the least used, write, and store what was read plus one."""

from distillations.models import Distillation, DistillationUsage, GeneratedArticle, GenerationSlot, GenerationTask

TAKEN = 3


def pick() -> None:
    """One task with three slots."""
    _picked()


def pick_and_use() -> None:
    """The same, and each of the three used."""
    task, chosen = _picked()
    for distillation in chosen:
        article = GeneratedArticle.objects.create(
            task=task, distillation=distillation, keyword=distillation.keyword, title="t", content="c", provider="rules"
        )
        DistillationUsage.objects.create(distillation=distillation, task=task, article=article)
        distillation.usage_count += 1
        distillation.save(update_fields=["usage_count"])


def _picked() -> tuple[GenerationTask, list[Distillation]]:
    eligible = Distillation.objects.filter(topic_count__gt=0)
    chosen = list(eligible.order_by("usage_count", "created_at", "id")[:TAKEN])
    task = GenerationTask.objects.create(requested_count=TAKEN, distillation=chosen[0], keyword=chosen[0].keyword)
    GenerationSlot.objects.bulk_create(
        GenerationSlot(task=task, position=position, distillation=each, topic=each.topics.first(), keyword=each.keyword)
        for position, each in enumerate(chosen, 1)
    )
    return task, chosen
