"""`mineru-api` of MinerU 3.x: tasks live in its memory, and a restart forgets them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.choices import DocumentError
from etl.documents.mineru.contract import MOST_BYTES_OF_TEXT, Contract, Look, Read, State, in_path, named
from etl.documents.mineru.troubles import OtherContract, TaskLost, failed, refused
from etl.documents.mineru.wire import Answer, Document, told
from etl.documents.parsed import Unreadable

STATES = {
    "pending": State.WAITING,
    "processing": State.RUNNING,
    "completed": State.DONE,
    "failed": State.FAILED,
}


class Three(Contract):
    """POST /tasks, GET /tasks/{id}, GET /tasks/{id}/result. It cannot be told to stop."""

    def submit(self, document: Document) -> str:
        """Hand the document in as a form."""
        form = {
            "lang_list": settings.ETL_MINERU_LANGUAGE,
            "backend": settings.ETL_MINERU_BACKEND,
            "parse_method": settings.ETL_MINERU_OCR,
            "return_md": "true",
            "return_images": "false",
        }
        answer = self.wire.ask("POST", "/tasks", document=document, form={k: v for k, v in form.items() if v})
        if answer.status in (404, 405):
            raise OtherContract(_("The server at ETL_MINERU_URL is no mineru-api of MinerU 3: it has no /tasks."))
        complain(answer)
        return named(answer.json.get("task_id"))

    def look(self, task_id: str) -> Look:
        """Pages are not told."""
        found = self._known(self.wire.ask("GET", f"/tasks/{in_path(task_id)}"))
        return Look(STATES.get(str(found.get("status")), State.RUNNING), words=told(found.get("error") or ""))

    def fetch(self, task_id: str, seen: Look) -> Read | None:
        """The Markdown of the one file."""
        answer = self.wire.ask("GET", f"/tasks/{in_path(task_id)}/result", most_bytes=MOST_BYTES_OF_TEXT)
        if answer.status == 202:
            return None
        if answer.status == 409:
            raise failed(answer.words)
        found = self._known(answer)
        results = found.get("results")
        texts = [each.get("md_content") for each in results.values()] if isinstance(results, dict) else []
        if len(texts) != 1 or not isinstance(texts[0], str):
            raise failed(_("The MinerU server sent no text."))
        return Read(texts[0], parser=f"mineru {told(found.get('version') or '3')}")

    def version(self) -> str:
        """As /health says, which answers 503 while it is not ready."""
        return told(self.wire.ask("GET", "/health").json.get("version") or "3")

    def _known(self, answer: Answer) -> dict[str, Any]:
        if answer.status in (404, 410):
            raise TaskLost(_("The MinerU server does not know the task any more; perhaps it was restarted."))
        complain(answer)
        return answer.json


def complain(answer: Answer) -> None:
    """Raise for what a self-hosted server does not take."""
    if answer.status == 413:
        raise Unreadable(DocumentError.TOO_LARGE, answer.words)
    if answer.status >= 400:
        raise refused(answer.words or str(answer.status))
