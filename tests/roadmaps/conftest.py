"""A model that makes small roadmaps."""

import pytest

from llm import openai_endpoint
from roadmap_models import RoadmapModel


@pytest.fixture
def model(settings, monkeypatch):
    """A server that answers every step properly, and settings that lead to it."""
    monkeypatch.setattr(openai_endpoint, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(openai_endpoint, "_simplest", {})
    with RoadmapModel() as serving:
        serving.configure(settings)
        yield serving
