"""The parse server of MinerU 4.0. Its successor 4.1 has other routes and is refused by name."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.mineru.contract import MOST_BYTES_OF_TEXT, Contract, Look, Read, State, in_path, member, named
from etl.documents.mineru.troubles import OtherContract, ServerAway, TaskLost, failed, refused
from etl.documents.mineru.v3 import complain
from etl.documents.mineru.wire import Answer, Document, told
from etl.documents.notes import Note

STATES = {
    "queued": State.WAITING,
    "running": State.RUNNING,
    "completed": State.DONE,
    "partial": State.DONE,  # fetch() says how much
    "failed": State.FAILED,
}
CANCELLED = ("canceled", "cancelled")
NO_SUCH_TIER = "quality_tier_unavailable"


class Four(Contract):
    """POST, GET and DELETE below /v1/tasks; options stand in the query, never in the form."""

    def submit(self, document: Document) -> str:
        """Hand the document in as the only field of a form."""
        params = {"output_formats": "markdown", "ocr_mode": settings.ETL_MINERU_OCR}
        if settings.ETL_MINERU_TIER:
            params["tier"] = settings.ETL_MINERU_TIER
        try:
            answer = self.wire.ask("POST", "/v1/tasks", params=params, document=document)
        except ServerAway as away:
            if away.code == NO_SUCH_TIER:  # with status 503, but no waiting mends it
                raise refused(str(away)) from away
            raise
        if answer.status in (404, 405, 415):
            raise OtherContract(_("The server at ETL_MINERU_URL does not take documents as MinerU 4.0 does."))
        complain(answer)
        return named(answer.json.get("task_id"))

    def look(self, task_id: str) -> Look:
        """Its progress counts files, and there is one."""
        found = self._known(self.wire.ask("GET", _path(task_id)))
        return Look(STATES.get(str(found.get("status")), State.RUNNING), words=_why(found))

    def fetch(self, task_id: str, seen: Look) -> Read | None:
        """The Markdown of the one file; of a part of it, that is said."""
        answer = self.wire.ask("GET", f"{_path(task_id)}/result", most_bytes=MOST_BYTES_OF_TEXT)
        if answer.status == 202:
            return None
        if answer.status == 409:
            _refuse_cancelled(answer.json)
            raise failed(_why(answer.json) or answer.words)
        found = self._known(answer)
        file = _file(found)
        text = member(file, "content").get("markdown")
        if not isinstance(text, str):
            raise failed(_why(found) or _("The MinerU server sent no text."))
        notes: list[Note] = [{"what": "partial"}] if found.get("status") == "partial" else []
        return Read(text, parser=f"mineru {told(member(file, 'parse').get('parser_version') or '4')}", notes=notes)

    def cancel(self, task_id: str) -> None:
        """Stop it, whether it waits or runs."""
        self.wire.ask("DELETE", _path(task_id))

    def version(self) -> str:
        """As /v1/health says, to whoever asks; a task that nobody has shows whether the key is right."""
        self.wire.ask("GET", _path("none"))
        return told(self.wire.ask("GET", "/v1/health").json.get("version") or "4")

    def _known(self, answer: Answer) -> dict[str, Any]:
        if answer.status in (404, 410):
            raise TaskLost(_("The MinerU server does not know the task any more; perhaps it was restarted."))
        complain(answer)
        _refuse_cancelled(answer.json)
        return answer.json


def _path(task_id: str) -> str:
    return f"/v1/tasks/{in_path(task_id)}"


def _file(found: dict[str, Any]) -> dict[str, Any]:
    files = found.get("files")
    return files[0] if isinstance(files, list) and files and isinstance(files[0], dict) else {}


def _why(found: dict[str, Any]) -> str:
    words = member(_file(found), "error").get("message") or member(found, "error").get("message")
    return told(words or "")


def _refuse_cancelled(found: dict[str, Any]) -> None:
    """A task that somebody else stopped is as good as lost: it may be ours again after a moment's absence."""
    if found.get("status") in CANCELLED:
        raise TaskLost(_("The task was cancelled on the MinerU server."))
