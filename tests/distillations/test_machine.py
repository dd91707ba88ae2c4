"""Any order of making, generating, deleting, resetting, repairing and crashing leaves every counter at its rows."""

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from distillations import backfill, generation, keywords, services, usage
from distillations.models import (
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationSlot,
    GenerationTask,
    Topic,
)
from distillations.services import GenerationOptions
from distillations.writing import Written
from distilled import drift, execute
from runs.errors import Conflict, RunFailed
from runs.querysets import seconds_from_now

STEPS = 15
WRITES = st.lists(st.sampled_from(["written", "written", "refused", "killed", "deleted"]), max_size=4)


class Killed(BaseException):
    """kill -9 in the middle of an article, as far as one process can tell."""


class Machine(RuleBasedStateMachine):
    """What people, workers and SQL do to distillations; each run undoes itself."""

    tasks = Bundle("tasks")

    def __init__(self):
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        keywords.distil_by_hand("first", ["1?", "2?"], actor="machine")

    def teardown(self):
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    def picked(self, model, number):
        """One of what there is, or None."""
        keys = list(model.objects.order_by("pk").values_list("pk", flat=True))
        return keys[number % len(keys)] if keys else None

    @rule(topics=st.integers(1, 3))
    def distil(self, topics):
        keywords.distil_by_hand("more", [f"{number}?" for number in range(topics)], actor="machine")

    @rule()
    def bring_counts_along(self):
        Distillation.objects.create(keyword="brought", provider="manual", usage_count=7, topic_count=7)

    @rule(target=tasks, count=st.integers(1, 4), number=st.integers(0, 9), by_hand=st.booleans())
    def request(self, count, number, by_hand):
        chosen = self.picked(Distillation, number) if by_hand else None
        try:
            return services.request_generation(GenerationOptions(count, distillation_id=chosen), actor="machine").pk
        except ValidationError:
            return 0

    @rule(pk=tasks, outcomes=WRITES)
    def work(self, pk, outcomes):
        left = iter(outcomes)

        def write(slot, task):
            outcome = next(left, "written")
            if outcome == "refused":
                raise RunFailed("refused")
            if outcome == "killed":
                raise Killed
            if outcome == "deleted":
                execute(f"DELETE FROM distillations WHERE id = {slot.distillation_id}")
            return Written("Title", "Text", "rules", "rules", "machine")

        try:
            generation.run_generation(pk, write=write)
        except Killed:
            # what was given back on the way out was not given back by the dead
            GenerationTask.objects.filter(pk=pk, status="pending").update(not_before=None)

    @rule(pk=tasks)
    def lose_the_worker(self, pk):
        GenerationTask.objects.claim(pk)
        GenerationTask.objects.active().filter(pk=pk).update(lease_until=seconds_from_now(-1))
        GenerationTask.objects.fail_exhausted(error="worker-lost")
        GenerationTask.objects.requeue_expired()

    @rule(pk=tasks)
    def cancel(self, pk):
        if task := GenerationTask.objects.filter(pk=pk).first():
            refused(services.cancel_generation, task, actor="machine")

    @rule(target=tasks, pk=tasks)
    def retry(self, pk):
        task = GenerationTask.objects.filter(pk=pk).first()
        new = refused(services.retry_generation, task, actor="machine") if task else None
        return new.pk if new else 0

    @rule(pk=consumes(tasks), in_sql=st.booleans())
    def delete_task(self, pk, in_sql):
        if in_sql:
            execute(f"DELETE FROM generation_tasks WHERE id = {pk}")
        else:
            refused(services.delete_tasks, [pk], actor="machine")

    @rule(number=st.integers(0, 9), in_sql=st.booleans())
    def delete_article(self, number, in_sql):
        if pk := self.picked(GeneratedArticle, number):
            if in_sql:
                execute(f"DELETE FROM articles WHERE id = {pk}")
            else:
                services.delete_articles([pk], actor="machine")

    @rule(number=st.integers(0, 9), in_sql=st.booleans())
    def delete_distillation(self, number, in_sql):
        if pk := self.picked(Distillation, number):
            if in_sql:
                execute(f"DELETE FROM distillations WHERE id = {pk}")
            else:
                keywords.delete_distillations([pk], actor="machine")

    @rule(number=st.integers(0, 9))
    def delete_topic(self, number):
        if pk := self.picked(Topic, number):
            keywords.delete_topics([pk], actor="machine")

    @rule(number=st.integers(0, 9))
    def save_a_stale_form(self, number):
        if pk := self.picked(Distillation, number):
            stale = Distillation.objects.get(pk=pk)
            stale.usage_count = stale.reserved_count = 99
            stale.save()

    @rule(number=st.integers(0, 9))
    def reset(self, number):
        if pk := self.picked(Distillation, number):
            usage.reset_usage(Distillation.objects.get(pk=pk), actor="machine")

    @rule()
    def reset_all(self):
        usage.reset_all_usage(actor="machine")

    @rule()
    def repair(self):
        assert usage.repair_usage(actor="machine").drifts == []

    @rule()
    def import_articles(self):
        one = Distillation.objects.first()
        GeneratedArticle.objects.create(distillation=one, keyword="k", title="t", content="c", provider="deepseek")
        backfill.backfill_usage(actor="machine")

    @invariant()
    def every_counter_equals_its_rows(self):
        assert drift() == []

    @invariant()
    def tasks_say_what_became_of_their_slots(self):
        for task in GenerationTask.objects.filter(is_imported=False):
            assert task.generated_count == task.slots.filter(status="done").count()
            assert task.is_open or not task.slots.holding().exists()
            assert task.status != "failed" or task.generated_count == 0

    @invariant()
    def articles_and_slots_belong_together(self):
        assert not GenerationSlot.objects.exclude(status="done").exclude(article=None).exists()
        assert not DistillationUsage.objects.filter(article__distillation=None).exists()
        execute("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED")


def refused(deed, *arguments, **options):
    """What it gave, or None where it was refused."""
    try:
        return deed(*arguments, **options)
    except (Conflict, ValidationError):
        return None


@pytest.mark.django_db
@pytest.mark.timeout(1800)
def test_whatever_happens_in_whatever_order_no_counter_drifts():
    calm = settings(settings(), stateful_step_count=STEPS, suppress_health_check=list(HealthCheck), deadline=None)
    run_state_machine_as_test(Machine, settings=calm)
