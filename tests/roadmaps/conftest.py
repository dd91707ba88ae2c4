"""A model that makes small roadmaps; and small trees of the planner, whose whole ones have twenty concepts and more."""

import pytest

from llm import openai_endpoint
from roadmap_models import RoadmapModel
from roadmaps import planner, structure

CONCEPTS_KEPT = 3  # one that fails is less than half


@pytest.fixture(scope="module")
def model_server():
    """One server for a module: to stop one takes half a second."""
    with RoadmapModel() as serving:
        yield serving


@pytest.fixture
def model(model_server, settings, monkeypatch):
    """A server that answers every step properly, and settings that lead to it."""
    monkeypatch.setattr(openai_endpoint, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(openai_endpoint, "_simplest", {})
    model_server.begin_anew()
    model_server.configure(settings)
    return model_server


@pytest.fixture
def small_trees(monkeypatch):
    """What the planner designs, without all but the first concepts."""
    design = planner.curriculum

    def small(wish, intent):
        framework = design(wish, intent)
        kept = {concept.concept_id for concept in list(structure.concepts(framework))[:CONCEPTS_KEPT]}
        for stage in framework.stages:
            for module in stage.modules:
                module.concepts = [each for each in module.concepts if each.concept_id in kept]
            stage.modules = [module for module in stage.modules if module.concepts]
        framework.stages = [stage for stage in framework.stages if stage.modules]
        framework.total_estimated_hours = sum(each.estimated_hours for each in structure.concepts(framework))
        return framework

    monkeypatch.setattr(planner, "curriculum", small)
