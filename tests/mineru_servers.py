"""MinerU servers of three generations: tasks wait, run and end as told, and anything may go wrong on the way."""

import io
import itertools
import json
import re
import threading
import time
import zipfile

from werkzeug import Response

TOKEN = "tok-secret-123"
SIGNATURE = "Signature=sig-secret-456"
MARKDOWN = "# 年度报告\n\n| 项目 | 金额 |\n| --- | --- |\n| 收入 | 12 |\n"


def as_json(body, status=200, **headers):
    """An answer as these servers give it."""
    return Response(json.dumps(body), status=status, headers=headers, content_type="application/json")


def archive_of(members):
    """A zip with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


class Server:
    """What all generations share: requests in order, and what is to happen instead of an answer."""

    base = ""
    routes = ()
    waits, runs, done, failed = "pending", "processing", "completed", "failed"

    def __init__(self, http):
        self.http, self.events, self.requests, self.tasks = http, [], [], {}
        self.course = [self.waits, self.runs, self.done]  # what each look at a new task finds, the last for ever
        self.markdown, self.words, self.token = MARKDOWN, "the model is out of memory", ""
        self.over, self._instead, self._numbers = threading.Event(), [], itertools.count(1)
        http.expect_request(re.compile(".*")).respond_with_handler(self._serve)

    @property
    def url(self):
        return self.http.url_for(self.base).rstrip("/")

    @property
    def submissions(self):
        return [event for event in self.events if event[0] == "submit"]

    def restart(self):
        """Forget every task, as servers do that keep them in memory."""
        self.tasks.clear()

    def instead(self, what, answer, times=1):
        """Answer the next requests that look so (`GET /tasks/.*`) with something else."""
        self._instead.append([re.compile(what), answer, times])
        return self

    def hangs(self, what, times=1):
        """Say nothing until the test is over."""
        return self.instead(what, lambda request: self.over.wait(20) and Response(status=500), times)

    def dribbles(self, what):
        """One byte now and then, for ever."""

        def pieces():
            while not self.over.is_set():
                time.sleep(0.02)
                yield b" "

        return self.instead(what, lambda request: Response(pieces(), content_type="application/json"), 100)

    def taken(self, document, name=None):
        """A new task for these bytes."""
        name = name or f"task-{next(self._numbers)}"
        self.tasks[name] = iter([*self.course[:-1], *itertools.repeat(self.course[-1], 10_000)])
        self.events.append(("submit", name))
        self.document = document
        return name

    def state_of(self, name):
        self.events.append(("look", name))
        return next(self.tasks[name])

    def _serve(self, request):
        self.requests.append(request)
        asked = f"{request.method} {request.path}"
        for each in self._instead:
            if each[2] and each[0].fullmatch(asked):
                each[2] -= 1
                return each[1] if isinstance(each[1], Response) else each[1](request)
        if (
            self.token
            and not self.is_public(request)
            and request.headers.get("Authorization") != f"Bearer {self.token}"
        ):
            return self.locked()
        for pattern, handler in self.routes:
            if found := re.fullmatch(pattern, asked):
                return getattr(self, handler)(request, *found.groups())
        return as_json({"detail": "Not Found"}, 404)

    def is_public(self, request):
        return request.path == "/openapi.json"

    def locked(self):
        return as_json({"error": {"code": "invalid_api_key", "message": "Invalid or missing API key"}}, 401)


class Three(Server):
    """`mineru-api` of 3.4.4."""

    version = "3.4.4"
    routes = (
        ("GET /openapi.json", "described"),
        ("GET /health", "health"),
        ("POST /tasks", "submit"),
        ("GET /tasks/([^/]+)", "status"),
        ("GET /tasks/([^/]+)/result", "result"),
    )

    def described(self, request):
        paths = ("/file_parse", "/tasks", "/tasks/{task_id}", "/tasks/{task_id}/result", "/health")
        return as_json({"openapi": "3.1.0", "info": {"version": "0.1.0"}, "paths": {path: {} for path in paths}})

    def health(self, request):
        return as_json({"status": "healthy", "version": self.version})

    def submit(self, request):
        self.form, self.sent_as = request.form.to_dict(), request.files["files"].filename
        name = self.taken(request.files["files"].read())
        return as_json({"task_id": name, "status": "pending", "queued_ahead": 0}, 202)

    def status(self, request, name):
        if name not in self.tasks:
            return as_json({"detail": "Task not found"}, 404)
        state = self.state_of(name)
        return as_json({"task_id": name, "status": state, "error": self.words if state == self.failed else None})

    def result(self, request, name):
        if name not in self.tasks:
            return as_json({"detail": "Task not found"}, 404)
        results = {"document": {"md_content": self.markdown}}
        return as_json({"backend": "pipeline", "version": self.version, "results": results})


class Four(Server):
    """The parse server of 4.0.12."""

    waits, runs = "queued", "running"
    version = "4.0.12"
    routes = (
        ("GET /openapi.json", "described"),
        ("GET /v1/health", "health"),
        ("POST /v1/tasks", "submit"),
        ("GET /v1/tasks/([^/]+)", "status"),
        ("GET /v1/tasks/([^/]+)/result", "result"),
        ("DELETE /v1/tasks/([^/]+)", "cancel"),
    )

    def is_public(self, request):
        return request.path in ("/openapi.json", "/v1/health")

    def described(self, request):
        paths = ("/v1/tasks", "/v1/tasks/{task_id}", "/v1/tasks/{task_id}/result", "/v1/file_parse", "/v1/health")
        return as_json({"info": {"title": "MinerU API", "version": "1.0.0"}, "paths": {path: {} for path in paths}})

    def health(self, request):
        return as_json({"status": "ok", "version": self.version})

    def submit(self, request):
        if request.form or list(request.files) != ["files"]:
            return self.error(400, "invalid_request", "Supply one or more files fields")
        self.form, self.sent_as = request.args.to_dict(), request.files["files"].filename
        return as_json(self.task(self.taken(request.files["files"].read()), "queued"), 202)

    def status(self, request, name):
        if name not in self.tasks:
            return self.error(404, "job_not_found", f"Job {name} not found")
        return as_json(self.task(name, self.state_of(name)))

    def result(self, request, name):
        if name not in self.tasks:
            return self.error(404, "job_not_found", f"Job {name} not found")
        state = next(self.tasks[name])
        body = self.task(name, state)
        body["files"][0]["content"] = {"markdown": self.markdown} if self.markdown is not None else {}
        return as_json(body, 409 if state in ("failed", "canceled") else 200)

    def cancel(self, request, name):
        self.events.append(("cancel", name))
        self.tasks[name] = itertools.repeat("canceled")
        return as_json(self.task(name, "canceled"))

    def task(self, name, state):
        error = {"type": "parse_error", "code": "parse_failed", "message": self.words}
        file = {"file_id": "f1", "name": "document.pdf", "status": state, "error": error if state == "failed" else None}
        file["parse"] = {"model_used": "flash", "duration_ms": 5, "parser_version": self.version}
        progress = {"completed": int(state == "completed"), "failed": 0, "total": 1}
        return {"task_id": name, "status": state, "progress": progress, "files": [file]}

    def error(self, status, code, message):
        return as_json({"error": {"type": "invalid_request_error", "code": code, "message": message}}, status)


class Hosted(Server):
    """mineru.net, its storage and its CDN, all on one port."""

    base = "/api/v4"
    waits, runs, done = "waiting-file", "running", "done"
    routes = (
        ("POST /api/v4/file-urls/batch", "submit"),
        ("PUT /oss/([^/]+)", "upload"),
        ("GET /api/v4/extract-results/batch/([^/]+)", "status"),
        ("GET /cdn/([^/]+).zip", "download"),
    )

    def __init__(self, http):
        super().__init__(http)
        self.archive = {"full.md": MARKDOWN, "images/a.jpg": b"jpeg", "x_content_list.json": "[]"}
        self.storage = http.url_for("").rstrip("/")
        self.token = TOKEN

    def is_public(self, request):
        return not request.path.startswith(self.base)

    def locked(self):
        return as_json({"success": False, "msgCode": "A0202", "msg": "user authenticate failed"})

    def fails(self, what, code, message="said so"):
        """An envelope with a code, which comes with status 200."""
        return self.instead(what, lambda request: as_json({"code": code, "msg": message, "trace_id": "t"}))

    def submit(self, request):
        self.form = request.get_json()
        name = f"batch-{next(self._numbers)}"
        return self.envelope({"batch_id": name, "file_urls": [f"{self.storage}/oss/{name}?{SIGNATURE}"]})

    def upload(self, request, name):
        self.upload_headers = dict(request.headers)
        self.taken(request.get_data(), name)
        return Response(status=200)

    def status(self, request, name):
        if name not in self.tasks:
            return as_json({"code": -60012, "msg": "task not found", "trace_id": "t"})
        state = self.state_of(name)
        found = {"file_name": "document.pdf", "state": state, "err_msg": self.words if state == "failed" else ""}
        if state == self.done:
            found["full_zip_url"] = f"{self.storage}/cdn/{name}.zip?{SIGNATURE}"
        found["extract_progress"] = {"extracted_pages": 3, "total_pages": 7} if state == self.runs else None
        return self.envelope({"batch_id": name, "extract_result": [found]})

    def download(self, request, name):
        archive = archive_of(self.archive) if isinstance(self.archive, dict) else self.archive
        return Response(archive, content_type="application/zip")

    def envelope(self, data):
        return as_json({"code": 0, "msg": "ok", "trace_id": "t", "data": data})


GENERATIONS = {"3": Three, "4": Four, "hosted": Hosted}
