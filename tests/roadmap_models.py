"""A server of a model that makes roadmaps: it reads from the prompt what is asked for, and answers what fits it."""

import json
import re
from collections import Counter

from pytest_httpserver import HTTPServer
from werkzeug import Response

from faulting import FAST
from tests.llm.conftest import USAGE, chat

TOKENS = sum(USAGE.values())
BEFORE_CONTENTS = ("Intent", "Framework", "Judgement")
CONTENTS = ("Tutorial", "Resources", "Quiz")
SOURCE = re.compile(r"BEGIN SOURCE (\w+): ([^\n]*)\n(.*)\nEND SOURCE \1", re.DOTALL)


def concept(place, **changes):
    """The design of the concept at this place."""
    design = {
        "concept_id": f"c-{place}", "name": f"Thing {place}", "description": f"What thing {place} is.",
        "estimated_hours": 1.5, "difficulty": "easy", "keywords": ["thing"], "prerequisites": [],
    }  # fmt: skip
    return design | changes


def tree(*concepts):
    """A framework of one module with these concepts: two of them, unless named."""
    concepts = concepts or (concept("1-1-1"), concept("1-1-2", prerequisites=["c-1-1-1"]))
    module = {"module_id": "mod-1-1", "name": "Things", "description": "", "concepts": list(concepts)}
    stage = {"stage_id": "stage-1", "name": "Start", "description": "", "order": 1, "modules": [module]}
    return {
        "title": "Redis in small steps", "total_estimated_hours": 3, "recommended_completion_weeks": 1,
        "design_rationale": "", "stages": [stage],
    }  # fmt: skip


def intent(goal):
    """What a wish for this goal is understood to be."""
    return {
        "slug": "redis", "parsed_goal": goal, "key_technologies": ["Redis"], "difficulty_profile": "easy",
        "time_constraint": "6 h a week", "estimated_learning_path_type": "quick_start",
    }  # fmt: skip


def judgement(*issues, score=90):
    """A judgement with these critical issues."""
    scores = dict.fromkeys(("completeness", "progression", "coherence", "module_clarity", "user_alignment"), score)
    named = [
        {"severity": "critical", "category": "user_mismatch", "location": "stage-1", "issue": each} for each in issues
    ]
    return {"scores": scores, "issues": named, "summary": "judged"}


def edit(framework):
    """An edit that leads to this framework."""
    return {"framework": framework, "modification_summary": "mended"}


def quiz(name="Thing", *, questions=5):
    """Questions about something."""
    asked = [
        {
            "question": f"{name}: question {number}?", "question_type": "single_choice", "options": ["yes", "no"],
            "correct_answer": [0], "difficulty": "easy",
        }
        for number in range(questions)
    ]  # fmt: skip
    return {"questions": asked}


class RoadmapModel:
    """Answers every step properly unless told otherwise, and counts what it was asked for, by schema."""

    def __init__(self, framework=None):
        self.begin_anew(framework)
        self.http = HTTPServer(threaded=True)
        self.http.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    def begin_anew(self, framework=None):
        """As if nothing had been asked or prepared."""
        self.framework, self.prompts, self._prepared = framework or tree(), [], []

    def __enter__(self):
        self.http.start()
        return self

    def __exit__(self, *failure):
        self.http.stop()

    @property
    def environment(self):
        """What leads a worker here, with the times of fault tests; one content after the other, so that the number of
        requests is exact."""
        return FAST | {
            "LLM_PROVIDER": "openai", "LLM_BASE_URL": self.http.url_for("/v1"), "LLM_API_KEY": "sk-test",
            "LLM_MODEL": "test-model", "LLM_RETRIES": "0", "ROADMAPS_SIDE_BY_SIDE": "1",
        }  # fmt: skip

    def configure(self, settings):
        """Lead this process here."""
        settings.LLM_PROVIDER, settings.LLM_MODEL, settings.LLM_API_KEY = "openai", "test-model", "sk-test"
        settings.LLM_BASE_URL = self.http.url_for("/v1")
        settings.LLM_TOTAL_SECONDS, settings.LLM_CONNECT_SECONDS, settings.LLM_RETRIES = 10, 2, 0

    def on(self, schema, *answers, about=""):
        """Answer these to what wants this schema and speaks of `about`: one after the other, the last one for ever.

        An answer is what the model says (text, or data), or a function of the request that gives a Response.
        """
        self._prepared.insert(0, (schema, about, list(answers)))
        return self

    def properly(self):
        """Answer as it should from now on."""
        self._prepared.clear()

    @property
    def counts(self):
        """How often each schema was asked for."""
        return Counter(schema for schema, _prompt in self.prompts)

    @property
    def expected(self):
        """The counts of one roadmap that nothing disturbed."""
        concepts = sum(len(module["concepts"]) for stage in self.framework["stages"] for module in stage["modules"])
        return Counter(dict.fromkeys(BEFORE_CONTENTS, 1) | dict.fromkeys(CONTENTS, concepts))

    def _answer(self, request):
        wish = json.loads(request.data)
        schema = wish["response_format"]["json_schema"]["schema"]["title"]
        prompt = "\n".join(each["content"] for each in wish["messages"])
        self.prompts.append((schema, prompt))
        for wanted, about, answers in self._prepared:
            if wanted == schema and about in prompt:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                break
        else:
            answer = self._proper(schema, sources(prompt))
        if callable(answer):
            return answer(request)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(json.dumps(chat(text)), content_type="application/json")

    def _proper(self, schema, told):
        if schema == "Intent":
            return intent(told["wish"]["query"])
        if schema == "Framework":
            return self.framework
        if schema == "Judgement":
            return judgement()
        if schema == "Edit":
            return edit(mended(told["roadmap"]))
        name = told["concept"]["name"]
        if schema == "Tutorial":
            return {"title": name, "content": f"# {name}\n\nText.", "estimated_completion_time": 30}
        if schema == "Resources":
            link = {"title": name, "url": "https://example.com/redis", "type": "article", "relevance_score": 0.9}
            return {"resources": [link]}
        return quiz(name)


def sources(prompt):
    """The source texts of a prompt by their names."""
    return {name: json.loads(text) for _mark, name, text in SOURCE.findall(prompt) if text[:1] in "[{"}


def mended(framework):
    """The tree without what can be wrong with it: no prerequisites, and nothing empty."""
    framework = json.loads(json.dumps(framework))
    for stage in framework["stages"]:
        stage["modules"] = [module for module in stage["modules"] if module["concepts"]]
        for module in stage["modules"]:
            for each in module["concepts"]:
                each["prerequisites"] = []
    framework["stages"] = [stage for stage in framework["stages"] if stage["modules"]]
    return framework


def fails(status, **headers):
    """An error of the server."""
    body = json.dumps({"error": {"message": f"status {status}", "type": "error", "code": None}})
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Response(body, status, headers, content_type="application/json")
