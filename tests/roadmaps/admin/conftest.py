"""Small trees: a whole one has twenty concepts and more, each with three contents to write."""

import pytest

from roadmaps import planner, structure

CONCEPTS_KEPT = 2


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
        return framework

    monkeypatch.setattr(planner, "curriculum", small)
