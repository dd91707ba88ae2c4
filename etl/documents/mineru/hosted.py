"""mineru.net, API v4: the file goes to an address it names, the result comes as an archive from another."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.choices import DocumentError
from etl.documents.mineru import archive
from etl.documents.mineru.contract import Contract, Look, Read, State, count, in_path, member, named
from etl.documents.mineru.places import approved
from etl.documents.mineru.troubles import KeyRefused, OtherContract, ServerAway, TaskLost, failed, refused
from etl.documents.mineru.wire import Answer, Document, told
from etl.documents.parsed import Unreadable

STATES = {
    "waiting-file": State.WAITING,
    "pending": State.WAITING,
    "running": State.RUNNING,
    "converting": State.RUNNING,
    "done": State.DONE,
    "failed": State.FAILED,
}

BAD_TOKEN = {"A0202", "A0211"}
BUSY = {"-10001", "-60007", "-60008", "-60009"}  # the service or a model is away, a queue is full
QUEUE_FULL = "-60009"
QUEUE_SECONDS = 120.0
LOST = {"-60012", "-60013"}  # unknown; of another account, so that its token was changed
SPENT = {"-60018", "-60019"}
OF_THE_DOCUMENT = {
    "-60002": DocumentError.UNKNOWN_TYPE,
    "-60004": DocumentError.EMPTY_FILE,
    "-60005": DocumentError.TOO_LARGE,
    "-60006": DocumentError.TOO_MANY_PAGES,
    "-60010": DocumentError.PARSER_FAILED,
}

HTML = {".html", ".htm"}
HTML_MODEL = "MinerU-HTML"  # the only one that reads web pages, and nothing else
MOST_REDIRECTS = 3
NOBODYS_BATCH = "00000000-0000-0000-0000-000000000000"


class Hosted(Contract):
    """POST /file-urls/batch, PUT, GET /extract-results/batch/{id}, zip. It cannot be told to stop."""

    def submit(self, document: Document) -> str:
        """Have an address named and send the file there; extraction begins by itself.

        Killed in between, the batch stays empty there and is never extracted, so it is not worth keeping its id.
        """
        given = self._data(self.wire.ask("POST", "/file-urls/batch", payload=_wish(document)))
        batch, places = named(given.get("batch_id")), given.get("file_urls")
        if not (isinstance(places, list) and len(places) == 1 and isinstance(places[0], str)):
            raise ServerAway(_("The MinerU server named no address for the file."))
        status = self.wire.put(approved(places[0]), document)
        if status >= 500 or status in (408, 429):
            raise ServerAway(_("MinerU's storage answers %(status)s.") % {"status": status})
        if not 200 <= status < 300:
            raise refused(_("MinerU's storage answers %(status)s.") % {"status": status})
        return batch

    def look(self, task_id: str) -> Look:
        """Its progress counts pages."""
        given = self._data(self.wire.ask("GET", f"/extract-results/batch/{in_path(task_id)}"))
        results = given.get("extract_result")
        found = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
        state = STATES.get(str(found.get("state")), State.WAITING)
        words = told(found.get("err_msg") or "")
        if state is State.FAILED and (code := str(found.get("err_code") or "")):
            _complain(code, words)
        progress = member(found, "extract_progress")
        pages, total = count(progress.get("extracted_pages")) or 0, count(progress.get("total_pages")) or None
        return Look(state, pages, total, words, str(found.get("full_zip_url") or ""))

    def fetch(self, task_id: str, seen: Look) -> Read | None:
        """The Markdown in the archive."""
        url = seen.place
        with TemporaryFile() as file:
            for _hop in range(1 + MOST_REDIRECTS):
                answer = self.wire.save(approved(url), file, archive.most_bytes())
                if not 300 <= answer.status < 400:
                    break
                url = _same_host(url, urljoin(url, answer.headers.get("location", "")))
            if answer.status >= 500 or answer.status in (408, 429):
                raise ServerAway(_("MinerU's storage answers %(status)s.") % {"status": answer.status})
            if answer.status != 200:
                raise failed(_("MinerU's storage answers %(status)s.") % {"status": answer.status})
            return Read(archive.markdown_of(file), parser="mineru.net v4")

    def version(self) -> str:
        """Asked for a batch that nobody has, it says whether it lets us in."""
        try:
            self._data(self.wire.ask("GET", f"/extract-results/batch/{NOBODYS_BATCH}"))
        except KeyRefused:
            raise
        except (TaskLost, Unreadable):
            pass  # it let us in and knows no such batch, in whichever words
        return "v4"

    def _data(self, answer: Answer) -> dict[str, Any]:
        """What is in the envelope. It says what went wrong with HTTP 200; the gateway before it has one of its own."""
        if answer.status in (404, 405):
            raise OtherContract(_("The server at ETL_MINERU_URL does not speak as mineru.net does."))
        said = answer.json
        code = str(said.get("msgCode") or said.get("code", ""))
        if answer.status >= 400 and code in ("", "0"):
            raise refused(answer.words or str(answer.status))
        if not code:
            raise ServerAway(_("The MinerU server's answer cannot be understood."))
        if code != "0":
            _complain(code, answer.words)
        return member(said, "data")


def _wish(document: Document) -> dict[str, Any]:
    file: dict[str, Any] = {"name": document.name}
    if settings.ETL_MINERU_OCR == "ocr":
        file["is_ocr"] = True
    wish: dict[str, Any] = {"files": [file], "enable_table": True, "enable_formula": True}
    if settings.ETL_MINERU_LANGUAGE:
        wish["language"] = settings.ETL_MINERU_LANGUAGE
    if model := HTML_MODEL if document.suffix in HTML else settings.ETL_MINERU_BACKEND:
        wish["model_version"] = model
    return wish


def _complain(code: str, words: str) -> None:
    """Raise what a code means."""
    text = f"{words} ({code})".strip() if code else words
    if code in BAD_TOKEN:
        raise KeyRefused()
    if code in BUSY:
        raise ServerAway(text, QUEUE_SECONDS if code == QUEUE_FULL else 0, code)
    if code in LOST:
        raise TaskLost(text)
    if code in SPENT:
        raise refused(_("The daily quota of mineru.net is used up: %(words)s") % {"words": text})
    if code in OF_THE_DOCUMENT:
        raise Unreadable(OF_THE_DOCUMENT[code], text)
    raise refused(text)


def _same_host(before: str, after: str) -> str:
    """A redirect may lead to another path, never to another host."""
    if urlsplit(before).netloc != urlsplit(after).netloc:
        raise failed(_("MinerU's storage sends on to another host, which is not followed."))
    return after
