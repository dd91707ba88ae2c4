"""A keyword becomes a distillation with its topics, together or not at all."""

import pytest
from django.core.exceptions import ValidationError

from access.models import AuditEvent
from distillations import distilling, keywords
from distillations.models import Distillation, DistillationRun
from distilled import drift, topics_of

pytestmark = pytest.mark.django_db(transaction=True)


def worked(run):
    distilling.run_distillation(run.pk)
    run.refresh_from_db()
    return run


def test_without_a_model_the_questions_are_those_of_rules_and_say_so():
    run = worked(keywords.request_distillation(" 通勤鞋 ", 7, actor="test"))
    assert (run.status, run.progress, run.error) == ("completed", 100, "")
    made = run.distillation
    assert (made.keyword, made.provider, made.topic_count, made.usage_count) == ("通勤鞋", "rules", 7, 0)
    assert all("通勤鞋" in topic.question for topic in topics_of(made))
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == [
        "distillation-run.requested", "distillation.created",
    ]  # fmt: skip
    assert drift() == []


@pytest.mark.parametrize(("keyword", "count"), [("", 12), ("k" * 256, 12), ("k", 4), ("k", 31)])
def test_what_cannot_be_distilled_is_refused(keyword, count):
    with pytest.raises(ValidationError):
        keywords.request_distillation(keyword, count, actor="test")
    assert not DistillationRun.objects.exists()


def test_a_run_that_was_cancelled_meanwhile_stores_nothing(monkeypatch):
    run = keywords.request_distillation("shoes", 5, actor="test")
    complete = distilling.complete

    def slowly(*arguments, **options):
        DistillationRun.objects.cancel(run.pk)
        return complete(*arguments, **options)

    monkeypatch.setattr(distilling, "complete", slowly)
    assert worked(run).status == "cancelled"
    assert not Distillation.objects.exists()
