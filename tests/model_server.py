"""A chat-completions server for workers: what it answers depends on what it is asked about."""

import json
import threading
import time

from pytest_httpserver import HTTPServer
from werkzeug import Response

from faulting import FAST
from tests.llm.conftest import USAGE, chat

TOKENS = (USAGE["prompt_tokens"], USAGE["completion_tokens"])
MODEL = "test-model"


def text(content, **more):
    """A good answer, or with finish_reason= one that ended otherwise."""
    return lambda request: Response(json.dumps(chat(content, **more)), content_type="application/json")


def status(code, message="", **headers):
    """An error, with such headers."""
    body = json.dumps({"error": {"message": message or f"status {code}", "type": "error", "code": None}})
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Response(body, code, headers, content_type="application/json")


class ModelServer:
    """Answers "About <what was asked>" unless told otherwise; `thinks` is how many seconds that takes."""

    def __init__(self, thinks=0.0):
        self.thinks, self.asked, self.prepared = thinks, [], {}
        self.closing = threading.Event()
        self.http = HTTPServer(threaded=True)
        self.http.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    def __enter__(self):
        self.http.start()
        return self

    def __exit__(self, *failure):
        self.closing.set()
        self.http.stop()

    @property
    def environment(self):
        """What leads a worker here, with the times of fault tests."""
        return FAST | {
            "LLM_PROVIDER": "openai",
            "LLM_BASE_URL": self.http.url_for("/v1"),
            "LLM_API_KEY": "sk-test",
            "LLM_MODEL": MODEL,
            "LLM_RETRIES": "1",
        }

    def about(self, words, *answers):
        """What speaks of `words` is answered with these, one after the other, the last one for ever."""
        self.prepared[words] = list(answers)

    def silence(self, request):
        """No answer at all, as long as anybody waits for it."""
        self.closing.wait(60)
        return Response(status=503)

    def dribble(self, request):
        """A body that comes a space at a time, as of servers that keep a connection alive."""

        def pieces():
            while not self.closing.wait(0.2):
                yield b" "

        return Response(pieces(), content_type="application/json")

    def times_asked(self, words):
        """How many requests spoke of them."""
        return sum(words in prompt for prompt in self.asked)

    def _answer(self, request):
        wish = json.loads(request.data)
        prompt = "\n".join(each["content"] for each in wish["messages"])
        self.asked.append(prompt)
        time.sleep(self.thinks)
        for words, answers in self.prepared.items():
            if words in prompt:
                return (answers.pop(0) if len(answers) > 1 else answers[0])(request)
        about = wish["messages"][-1]["content"]
        return text(f"# Answer {len(self.asked)}\n\nAbout {about}")(request)
