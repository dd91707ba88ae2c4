"""What people want of generation tasks and articles, and of what articles are written for and from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from access.services import record
from distillations import selection
from distillations.choices import Mode, TaskStatus
from distillations.deeds import delete_in_database, in_transaction, record_all
from distillations.locks import lock_counters_of_articles, lock_counters_of_tasks, lock_pick, lock_rows
from distillations.models import (
    ArticleSetting,
    ConversionTarget,
    Distillation,
    GeneratedArticle,
    GenerationTask,
    KnowledgeBase,
    KnowledgeDocument,
)
from distillations.models.tasks import MOST_ARTICLES
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.services import cancel, ring
from runs.transactions import retried

RETRIABLE = (TaskStatus.PARTIAL, TaskStatus.FAILED, TaskStatus.CANCELLED)
MOST_DELETED = 10_000  # tasks; with their slots and uses about six seconds
MOST_RETRIED = 200
MATERIALS = (ConversionTarget, ArticleSetting, KnowledgeBase, KnowledgeDocument)


@dataclass(frozen=True)
class GenerationOptions:
    """What a task is asked for. With a distillation all articles are made from its topics, without from the least used
    distillations."""

    requested_count: int
    distillation_id: int | None = None
    conversion_target_id: int | None = None
    article_setting_id: int | None = None
    knowledge_base_id: int | None = None

    @property
    def mode(self) -> Mode:
        """How the task comes to its distillations."""
        return Mode.AUTO if self.distillation_id is None else Mode.MANUAL

    def as_audited(self) -> dict[str, Any]:
        """What was asked for, as the audit log keeps it."""
        return {
            "requestedCount": self.requested_count,
            "distillationId": self.distillation_id,
            "conversionTargetId": self.conversion_target_id,
            "articleSettingId": self.article_setting_id,
            "knowledgeBaseId": self.knowledge_base_id,
        }


def request_generation(options: GenerationOptions, *, actor: Any, requested_by: Any = None) -> GenerationTask:
    """Queue a task with a reserved slot for each of its articles, and ring for a worker.

    One transaction. Raises ValidationError, and leaves nothing, for a number out of range, for a distillation, target,
    setting or knowledge base that does not exist, and for more articles than there are distillations with a topic (or,
    with a distillation named, topics): selection.pick().
    """
    return in_transaction(lambda: _create(options, actor=actor, requested_by=requested_by))


def retry_generation(task: GenerationTask, *, actor: Any, requested_by: Any = None) -> GenerationTask:
    """A new task for the articles that an ended one did not make; the old one shows it as superseded_by.

    It asks for the same otherwise, and picks anew: automatic takes what is least used now, by hand other topics of the
    same distillation. Raises Conflict when the task is open ("task-open"), complete ("nothing-missing") or was retried
    before ("already-retried"), ValidationError as request_generation() does.
    """

    def create() -> GenerationTask:
        lock_pick()  # before the task, as everywhere
        old = GenerationTask.objects.select_for_update(no_key=True).get(pk=task.pk)
        options = _missing_of(old)
        new = _create(options, actor=actor, requested_by=requested_by, retry_of=old.pk)
        GenerationTask.objects.filter(pk=old.pk).update(superseded_by=new, updated_at=ClockTimestamp())
        return new

    return in_transaction(create)


def _missing_of(old: GenerationTask) -> GenerationOptions:
    if old.is_open:
        raise Conflict("task-open", _("This task has not ended yet."))
    if old.superseded_by_id is not None:
        raise Conflict("already-retried", _("This task was retried already."), taskId=old.superseded_by_id)
    missing = old.requested_count - old.generated_count
    if old.status not in RETRIABLE or missing < 1:
        raise Conflict("nothing-missing", _("Every article of this task was made."))
    if old.mode == Mode.MANUAL and old.distillation_id is None:
        raise Conflict("distillation-deleted", _("The distillation of this task was deleted."))
    return GenerationOptions(
        requested_count=missing,
        distillation_id=old.distillation_id if old.mode == Mode.MANUAL else None,
        conversion_target_id=old.conversion_target_id,
        article_setting_id=old.article_setting_id,
        knowledge_base_id=old.knowledge_base_id,
    )


def _create(
    options: GenerationOptions, *, actor: Any, requested_by: Any, retry_of: int | None = None
) -> GenerationTask:
    if not 1 <= options.requested_count <= MOST_ARTICLES:
        message = _("A task asks for 1 to 100 articles.")
        raise ValidationError({"requested_count": ValidationError(message, code="out-of-range")})
    source = _found(Distillation, options.distillation_id, "distillation_id", _("This distillation does not exist."))
    target = _found(ConversionTarget, options.conversion_target_id, "conversion_target_id")
    setting = _found(ArticleSetting, options.article_setting_id, "article_setting_id")
    base = _found(KnowledgeBase, options.knowledge_base_id, "knowledge_base_id")
    task = GenerationTask(
        mode=options.mode,
        requested_count=options.requested_count,
        distillation=source,
        keyword=source.keyword if source else "",
        conversion_target=target,
        conversion_target_name=target.company_name if target else "",
        article_setting=setting,
        article_setting_name=setting.name if setting else "",
        knowledge_base=base,
        knowledge_base_name=base.name if base else "",
        requested_by=requested_by,
    )
    task.save(force_insert=True)
    after = options.as_audited() | ({"retryOf": retry_of} if retry_of else {})
    record(actor=actor, action="generation-task.requested", target=task, after=after)
    selection.pick(task)  # last, so that the lock of the pick is held for one statement and the commit
    ring(task)
    return task


def _found(model: type[models.Model], pk: int | None, field: str, message: Any = None) -> Any:
    """The object with this id; None for None. Raises ValidationError for an id that is nobody's."""
    if pk is None:
        return None
    found = model._default_manager.filter(pk=pk).first()
    if found is None:
        message = message or _("There is no %(kind)s with this id.")
        error = ValidationError(message, code="does-not-exist", params={"kind": model._meta.verbose_name})
        raise ValidationError({field: error})
    return found


def cancel_generation(task: GenerationTask, *, actor: Any) -> None:
    """End an open task: its worker stops before its next write, its slots are free at once.

    Raises Conflict when it has ended already.
    """
    retried(lambda: cancel(task, actor=actor))


def cancel_tasks(ids: Iterable[int], *, actor: Any) -> list[int]:
    """End those of these tasks that are open, in one statement; their ids. The others stay as they ended."""
    wanted = sorted(set(ids))

    def cancel_them() -> list[int]:
        tasks = GenerationTask.objects.filter(pk__in=wanted)
        locked = lock_rows(tasks.open())
        tasks.filter(pk__in=locked).cancel_open()
        record_all(GenerationTask, locked, actor=actor, action="generationtask.cancelled")
        return locked

    return in_transaction(cancel_them)


def retry_tasks(ids: Iterable[int], *, actor: Any, requested_by: Any = None) -> list[GenerationTask]:
    """A new task for what each of these did not make, where there is something missing; all of them or none.

    Raises ValidationError for more than MOST_RETRIED, and as retry_generation() does when distillations run out.
    """
    wanted = sorted(set(ids))
    if len(wanted) > MOST_RETRIED:
        message = _("At most %(most)s tasks can be retried at once; these are %(count)s. Filter further.")
        params = {"most": MOST_RETRIED, "count": len(wanted)}
        raise ValidationError(message, code="too-many", params=params)

    def retry_them() -> list[GenerationTask]:
        lock_pick()
        lock_rows(GenerationTask.objects.filter(pk__in=wanted))
        return [
            retry_generation(task, actor=actor, requested_by=requested_by)
            for task in GenerationTask.objects.filter(pk__in=wanted).order_by("pk")
            if is_retriable(task)
        ]

    return in_transaction(retry_them)


def is_retriable(task: GenerationTask) -> bool:
    """Whether retry_generation() would find something to make."""
    try:
        _missing_of(task)
    except Conflict:
        return False
    return True


def delete_tasks(ids: Iterable[int], *, actor: Any) -> list[int]:
    """Delete these tasks, all or none; the ids of those that there were. Their articles stay, their uses go.

    Raises Conflict ("task-running") when one of them is being worked on: cancel it first.
    """
    wanted = sorted(set(ids))

    def delete() -> list[int]:
        tasks = GenerationTask.objects.filter(pk__in=wanted)
        locked = lock_rows(tasks, to_delete=True)
        running = list(tasks.active().order_by("pk").values_list("pk", flat=True))
        if running:
            message = _("Task %(id)s is running; cancel it first.")
            raise Conflict("task-running", message % {"id": running[0]}, taskIds=running)
        lock_counters_of_tasks(locked)
        record_all(GenerationTask, locked, actor=actor, action="generation-task.deleted")
        delete_in_database(tasks)
        return locked

    return in_transaction(delete)


def delete_all_tasks(*, actor: Any) -> list[int]:
    """delete_tasks() of every task there is when this is called; one that is asked for meanwhile stays.

    Raises Conflict ("too-many-tasks") when there are more than one transaction should delete.
    """
    ids = list(GenerationTask.objects.order_by().values_list("pk", flat=True)[: MOST_DELETED + 1])
    if len(ids) > MOST_DELETED:
        message = _("There are more than %(most)s tasks; delete them in batches.") % {"most": MOST_DELETED}
        raise Conflict("too-many-tasks", message, most=MOST_DELETED)
    return delete_tasks(ids, actor=actor)


def delete_articles(ids: Iterable[int], *, actor: Any) -> list[int]:
    """Delete these articles; the ids of those that there were. What they used counts as used less often."""
    wanted = sorted(set(ids))

    def delete() -> list[int]:
        articles = GeneratedArticle.objects.filter(pk__in=wanted)
        lock_counters_of_articles(wanted)
        locked = lock_rows(articles, to_delete=True)
        record_all(GeneratedArticle, locked, actor=actor, action="article.deleted")
        delete_in_database(articles)
        return locked

    return in_transaction(delete)


def publish_articles(ids: Iterable[int], *, published: bool, actor: Any) -> list[int]:
    """Publish those of these articles that are not, or take back those that are, in one statement; their ids."""
    wanted = sorted(set(ids))

    def publish() -> list[int]:
        articles = GeneratedArticle.objects.filter(pk__in=wanted, is_published=not published)
        locked = lock_rows(articles)
        GeneratedArticle.objects.filter(pk__in=locked).update(
            is_published=published,
            published_at=ClockTimestamp() if published else None,
            updated_at=ClockTimestamp(),
        )
        action = "article.published" if published else "article.unpublished"
        record_all(GeneratedArticle, locked, actor=actor, action=action)
        return locked

    return in_transaction(publish)


def publish_article(article: GeneratedArticle, *, published: bool, actor: Any) -> GeneratedArticle:
    """Publish an article now, or take it back; the article as it is then. Nothing happens when it is so already."""
    publish_articles([article.pk], published=published, actor=actor)
    return GeneratedArticle.objects.get(pk=article.pk)


def delete_materials(model: type[models.Model], ids: Iterable[int], *, actor: Any) -> list[int]:
    """Delete targets, settings, knowledge bases or documents; tasks and articles keep their names."""
    assert model in MATERIALS, model
    wanted = sorted(set(ids))

    def delete() -> list[int]:
        if model in (ConversionTarget, ArticleSetting, KnowledgeBase):
            field = {ConversionTarget: "conversion_target", ArticleSetting: "article_setting"}.get(
                model, "knowledge_base"
            )
            lock_rows(GenerationTask.objects.filter(**{f"{field}__in": wanted}))  # which forget them
        rows = model._default_manager.filter(pk__in=wanted)
        locked = lock_rows(rows, to_delete=True)
        record_all(model, locked, actor=actor, action=f"{model._meta.model_name}.deleted")
        delete_in_database(rows)
        return locked

    return in_transaction(delete)
