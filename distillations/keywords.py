"""What people want of keywords and their topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from access.services import record
from distillations.choices import Provider
from distillations.deeds import delete_in_database, in_transaction, record_all
from distillations.locks import lock_pick, lock_rows, lock_tasks_of_distillations
from distillations.models import Distillation, DistillationRun, Topic
from distillations.models.sources import FEWEST_TOPICS, MOST_TOPICS
from distillations.texts import refuse_unstorable, refused
from runs.services import ring

MOST_QUESTIONS, LONGEST_QUESTION, LONGEST_KEYWORD = 500, 1_000, 255


def request_distillation(keyword: str, topic_count: int, *, actor: Any, requested_by: Any = None) -> DistillationRun:
    """Queue a run that turns a keyword into so many topics, and ring for a worker.

    Raises ValidationError for a keyword that is blank or too long and for a number that is not 5 to 30.
    """
    keyword = cleaned_keyword(keyword)
    if not FEWEST_TOPICS <= topic_count <= MOST_TOPICS:
        raise refused("topic_count", _("A keyword is distilled into 5 to 30 topics."), "out-of-range")

    def create() -> DistillationRun:
        run = DistillationRun(keyword=keyword, topic_count=topic_count, requested_by=requested_by)
        run.save(force_insert=True)
        record(actor=actor, action="distillation-run.requested", target=run, after=run.as_asked())
        ring(run)
        return run

    return in_transaction(create)


def distil_by_hand(keyword: str, questions: Iterable[str], *, actor: Any) -> Distillation:
    """A distillation with these questions, in one transaction. Blank and repeated ones are left out.

    Raises ValidationError for a keyword that is blank or too long, for no question at all, too many or too long ones.
    """
    keyword, asked = cleaned_keyword(keyword), cleaned_questions(questions)
    return store_distillation(keyword, asked, provider=Provider.MANUAL, actor=actor)


def store_distillation(keyword: str, questions: list[str], *, provider: str, actor: Any) -> Distillation:
    """Store a keyword and its questions, cleaned already, in one transaction."""

    def store() -> Distillation:
        distillation = Distillation(keyword=keyword, provider=provider)
        distillation.save(force_insert=True)
        Topic.objects.bulk_create(Topic(distillation=distillation, question=question) for question in questions)
        after = {"keyword": keyword, "provider": str(provider), "topics": len(questions)}
        record(actor=actor, action="distillation.created", target=distillation, after=after)
        distillation.refresh_from_db()
        return distillation

    return in_transaction(store)


def rename_keyword(distillation: Distillation, keyword: str, *, actor: Any) -> Distillation:
    """Give a distillation another keyword. What was made from it keeps the old one; open tasks show the new one.

    Raises ValidationError as distil_by_hand() does.
    """
    keyword = cleaned_keyword(keyword)

    def rename() -> Distillation:
        found = Distillation.objects.select_for_update(no_key=True).get(pk=distillation.pk)
        if found.keyword != keyword:
            before, found.keyword = found.keyword, keyword
            found.save(update_fields=["keyword"])
            record(
                actor=actor,
                action="distillation.renamed",
                target=found,
                before={"keyword": before},
                after={"keyword": keyword},
            )
        return found

    return in_transaction(rename)


def delete_distillations(ids: Iterable[int], *, actor: Any) -> list[int]:
    """Delete distillations with their topics and uses; the ids of those that there were.

    Articles, tasks and slots stay and keep the keyword. One that is reserved may go too: its slot is picked anew.
    """
    wanted = sorted(set(ids))

    def delete() -> list[int]:
        lock_pick()
        lock_tasks_of_distillations(wanted)
        rows = Distillation.objects.filter(pk__in=wanted)
        locked = lock_rows(rows, to_delete=True)
        record_all(Distillation, locked, actor=actor, action="distillation.deleted")
        delete_in_database(rows)
        return locked

    return in_transaction(delete)


def delete_topics(ids: Iterable[int], *, actor: Any) -> list[int]:
    """Delete topics; the ids of those that there were. Uses stay, articles keep the question."""
    wanted = sorted(set(ids))

    def delete() -> list[int]:
        lock_pick()
        rows = Topic.objects.filter(pk__in=wanted)
        lock_rows(Distillation.objects.filter(pk__in=rows.values("distillation")))
        locked = lock_rows(rows, to_delete=True)
        record_all(Topic, locked, actor=actor, action="topic.deleted")
        delete_in_database(rows)
        return locked

    return in_transaction(delete)


def cleaned_keyword(keyword: str) -> str:
    """The keyword without surrounding space. Raises ValidationError as distil_by_hand() does."""
    keyword = keyword.strip()
    if not keyword:
        raise refused("keyword", _("Name a keyword."), "blank")
    if len(keyword) > LONGEST_KEYWORD:
        raise refused("keyword", _("A keyword has at most %(most)s characters."), "too-long", most=LONGEST_KEYWORD)
    refuse_unstorable("keyword", keyword)
    return keyword


def cleaned_questions(questions: Iterable[str]) -> list[str]:
    """The questions that say something, each once. Raises ValidationError as distil_by_hand() does."""
    asked = list(dict.fromkeys(filter(None, (question.strip() for question in questions))))
    if not asked:
        raise refused("questions", _("Name at least one question."), "blank")
    if len(asked) > MOST_QUESTIONS:
        raise refused("questions", _("Name at most %(most)s questions."), "too-many", most=MOST_QUESTIONS)
    if any(len(question) > LONGEST_QUESTION for question in asked):
        raise refused("questions", _("A question has at most %(most)s characters."), "too-long", most=LONGEST_QUESTION)
    for question in asked:
        refuse_unstorable("questions", question)
    return asked
