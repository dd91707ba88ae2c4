"""A local server that speaks chat completions, and a run that asks it."""

import json
import time
from typing import Any

import pytest
from pydantic import BaseModel, Field
from werkzeug import Response

from etl.models import ProductSyncRun
from llm import openai_endpoint
from llm.prompts import Purpose

PURPOSE = Purpose("test-topics", version=3)
USAGE = {"prompt_tokens": 11, "completion_tokens": 7}


class Topics(BaseModel):
    """What the tests ask for."""

    topics: list[str] = Field(min_length=2)


def chat(content: Any, *, finish_reason="stop", usage=USAGE, **more):
    """The body of an answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    body = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "served", "choices": [choice]} | more
    return body | ({"usage": usage} if usage is not None else {})


class Endpoint:
    """Answers requests one after the other with what was prepared, the last one for ever."""

    def __init__(self, server):
        self.server, self.prepared, self.requests = server, [], []
        server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    def answers(self, *contents, **values):
        """Good answers with these contents."""
        self.prepared += [(200, chat(content, **values), {}) for content in contents]
        return self

    def fails(self, status, message="", *, times=1, **headers):
        """An error as these servers word it."""
        body = {"error": {"message": message or f"status {status}", "type": "error", "code": None}}
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.prepared += [(status, body, headers)] * times
        return self

    def does(self, handler):
        """Something else: a function of the request that gives a Response."""
        self.prepared.append(handler)
        return self

    def _answer(self, request):
        self.requests.append(json.loads(request.data))
        step = self.prepared[min(len(self.requests), len(self.prepared)) - 1]
        if callable(step):
            return step(request)
        status, body, headers = step
        return Response(json.dumps(body), status=status, headers=headers, content_type="application/json")

    @property
    def count(self):
        return len(self.requests)


@pytest.fixture
def endpoint(httpserver, settings, monkeypatch):
    """The server, and settings that lead to it."""
    settings.LLM_PROVIDER, settings.LLM_MODEL, settings.LLM_API_KEY = "openai", "test-model", "sk-secret-123"
    settings.LLM_BASE_URL = httpserver.url_for("/v1")
    settings.LLM_TOTAL_SECONDS, settings.LLM_CONNECT_SECONDS, settings.LLM_RETRIES = 10, 2, 2
    monkeypatch.setattr(openai_endpoint, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(openai_endpoint, "_simplest", {})
    return Endpoint(httpserver)


@pytest.fixture
def run(transactional_db):
    """Something that needs a text; product sync stands for every kind of run."""
    return ProductSyncRun.objects.create(source="products_staging")


def dribble(*, every, times):
    """A body that comes a space at a time, as servers do that keep a connection alive."""

    def respond(request):
        def pieces():
            for _ in range(times):
                time.sleep(every)
                yield b" "

        return Response(pieces(), status=200, content_type="application/json")

    return respond
