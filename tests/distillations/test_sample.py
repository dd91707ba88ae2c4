"""The sample workspace: enough keywords to look at, and work for the real workers."""

import pytest
from django.contrib.auth.models import User

from distillations import distilling, generation
from distillations.models import Distillation, DistillationRun, GeneratedArticle, GenerationTask
from distillations.sample import load
from distilled import drift
from observed import everything


@pytest.fixture
def operator(transactional_db):
    return User.objects.create_user("operator", is_staff=True)


def test_it_fills_an_empty_room_and_asks_the_workers(operator):
    assert len(load(operator)) == 2
    assert Distillation.objects.count() == 40
    assert Distillation.objects.filter(topic_count=0).count() == 1
    for run in DistillationRun.objects.all():
        distilling.run_distillation(run.pk)
    for task in GenerationTask.objects.all():
        generation.run_generation(task.pk)
    assert set(DistillationRun.objects.values_list("status", flat=True)) == {"completed"}
    assert list(GenerationTask.objects.order_by("id").values_list("status", "generated_count")) == [
        ("completed", 5), ("completed", 3),
    ]  # fmt: skip
    assert set(GeneratedArticle.objects.values_list("generator_kind", flat=True)) == {"rules"}
    assert drift() == []


def test_a_second_load_changes_nothing(operator):
    load(operator)
    before = everything()
    assert load(operator) == []
    assert everything() == before


def test_no_article_is_asked_of_a_model_that_costs_money(operator, settings):
    settings.LLM_PROVIDER = "openai"
    assert len(load(operator)) == 1
    assert not GenerationTask.objects.exists()
