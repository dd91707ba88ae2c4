"""Speaks HTTP with a MinerU server, with bounded patience and a bounded appetite.

Every request ends before the deadline of the task; bodies are read and sent in pieces, so that a server that sends
one byte a second is noticed and a task that was cancelled meanwhile is given up. Redirects are not followed. What a
server says may be shown to people: keys and signed addresses are cut out of it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from etl.documents.choices import DocumentError
from etl.documents.mineru.troubles import KeyRefused, ServerAway, TimedOut, unsupported
from etl.documents.parsed import Unreadable
from llm.prompts import clean

MOST_BYTES_OF_ANSWER = 1_000_000
TOLD_CHARACTERS = 500
PIECE = 64 * 1024
SHORTEST_PATIENCE = 0.05
SLICE_SECONDS = 1.0  # a task that was cancelled is noticed after so long
LAST_WORD_SECONDS = 5.0
A_DAY = 86_400.0

ADDRESS = re.compile(r"(https?://[^\s\"'<>?]*)\?[^\s\"'<>]*")


@dataclass
class Answer:
    """What came back, as far as it may be large."""

    status: int
    body: bytes
    headers: httpx2.Headers

    @cached_property
    def json(self) -> dict[str, Any]:
        """The object in the body. Raises ServerAway for what is none: something else answers in its place."""
        try:
            decoded = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ServerAway(_("The MinerU server's answer is no JSON.")) from error
        if not isinstance(decoded, dict):
            raise ServerAway(_("The MinerU server's answer is no JSON."))
        return decoded

    @property
    def retry_after(self) -> float:
        """How long the server asks to wait, in seconds or until a date; 0 when it does not say so."""
        wish = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(wish) if wish[:1].isdigit() else parsedate_to_datetime(wish).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0
        return max(0.0, min(seconds, A_DAY))

    @property
    def words(self) -> str:
        """What the server says went wrong, in whichever of the shapes they use."""
        for name in ("error", "detail", "message", "msg"):
            found = self._said.get(name)
            if isinstance(found, dict):
                found = found.get("message")
            if found:
                return told(found)
        return ""

    @property
    def code(self) -> str:
        """The server's own name for what went wrong."""
        error = self._said.get("error")
        return str(error.get("code") or "") if isinstance(error, dict) else ""

    @cached_property
    def _said(self) -> dict[str, Any]:
        try:
            return self.json
        except ServerAway:
            return {}


def told(what: Any) -> str:
    """What a server said, fit to be shown: no key, no signature of an address, no end."""
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False, default=str)
    if settings.ETL_MINERU_TOKEN:
        text = text.replace(settings.ETL_MINERU_TOKEN, "…")
    return clean(ADDRESS.sub(r"\1?…", text)).strip()[:TOLD_CHARACTERS]


class Wire:
    """A conversation about one document. `watch` is called often, and raises when the document is no longer ours."""

    def __init__(self, *, seconds: float, watch: Callable[[], None]) -> None:
        self.seconds, self._watch = seconds, watch
        self._deadline = time.monotonic() + seconds
        self._client = httpx2.Client(follow_redirects=False, headers={"User-Agent": "pressroom"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        payload: Any = None,
        document: Document | None = None,
        form: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES_OF_ANSWER,
    ) -> Answer:
        """One request to the server itself, the key with it. Raises ServerAway, and Unreadable for a refused key."""
        headers = {"Accept": "application/json"}
        if settings.ETL_MINERU_TOKEN:
            headers["Authorization"] = f"Bearer {settings.ETL_MINERU_TOKEN}"
        wish: dict[str, Any] = {"headers": headers, "params": params or None}
        if payload is not None:
            wish["json"] = payload
        url = settings.ETL_MINERU_URL + path
        if document is None:
            answer = self._answer(method, url, most_bytes, **wish)
        else:
            with document.opened(self.watch) as file:
                wish |= {"files": {"files": (document.name, file, "application/octet-stream")}, "data": form}
                answer = self._answer(method, url, most_bytes, **wish)
        self._judge(answer)
        return answer

    def put(self, url: str, document: Document) -> int:
        """Send the document to an address the server named, with neither key nor type; the status."""
        with document.opened(self.watch) as file:
            # without a length it would be sent in chunks, which storage does not take
            headers = {"Content-Length": str(document.size)}
            pieces = iter(lambda: file.read(PIECE), b"")
            return self._answer("PUT", url, MOST_BYTES_OF_ANSWER, content=pieces, headers=headers).status

    def save(self, url: str, target: BinaryIO, most_bytes: int) -> Answer:
        """Fetch an address the server named into `target`, without the key. Raises Unreadable beyond `most_bytes`."""
        with self._sent("GET", url) as response:
            if response.status_code == 200:
                for piece in self._pieces(response, most_bytes):
                    self._watch()
                    target.write(piece)
            return Answer(response.status_code, b"", response.headers)

    def watch(self) -> None:
        """Raises TimedOut when the time is over, and what the owner of the task raises."""
        self._check_time()
        self._watch()

    def sleep(self, seconds: float) -> None:
        """A pause that a cancelled task and the deadline end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(max(0.0, min(left, SLICE_SECONDS, self._deadline - time.monotonic())))
            self.watch()

    def for_a_last_word(self) -> None:
        """A few seconds more, whoever owns the task now."""
        self._deadline, self._watch = time.monotonic() + LAST_WORD_SECONDS, _nothing

    def _answer(self, method: str, url: str, most_bytes: int, **wish: Any) -> Answer:
        with self._sent(method, url, **wish) as response:
            # cancelled or not, the answer is heard to its end: it may be the id of what has to be stopped
            body = b"".join(self._pieces(response, most_bytes))
            return Answer(response.status_code, body, response.headers)

    @contextmanager
    def _sent(self, method: str, url: str, **wish: Any) -> Iterator[httpx2.Response]:
        self.watch()
        silence = min(settings.ETL_MINERU_READ_SECONDS, self._left)
        patience = httpx2.Timeout(silence, connect=min(settings.ETL_MINERU_CONNECT_SECONDS, self._left))
        try:
            with self._client.stream(method, url, timeout=patience, **wish) as response:
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            if time.monotonic() >= self._deadline:
                raise TimedOut(self.seconds) from error
            reason = told(f"{type(error).__name__}: {error}".rstrip(": "))
            raise ServerAway(_("The MinerU server cannot be reached: %(reason)s") % {"reason": reason}) from error

    def _pieces(self, response: httpx2.Response, most_bytes: int) -> Iterator[bytes]:
        size = 0
        for piece in response.iter_bytes():  # as they come: pieces of a size would be waited for
            self._check_time()
            size += len(piece)
            if size > most_bytes:
                raise Unreadable(DocumentError.PARSER_FAILED, _("The MinerU server's answer is too large."))
            yield piece

    def _check_time(self) -> None:
        if time.monotonic() >= self._deadline:
            raise TimedOut(self.seconds)

    def _judge(self, answer: Answer) -> None:
        """What a status means whatever was asked."""
        facts = {"status": answer.status, "words": answer.words}
        if answer.status in (401, 403):
            raise KeyRefused()
        if 300 <= answer.status < 400:
            where = told(answer.headers.get("location", ""))
            text = _("The MinerU server sends on to %(where)s, which is not followed: let ETL_MINERU_URL name it.")
            raise unsupported(text % {"where": where})
        if answer.status in (408, 425, 429) or answer.status >= 500:
            text = _("The MinerU server answers %(status)s: %(words)s") % facts
            raise ServerAway(text.rstrip(": "), answer.retry_after, answer.code)

    @property
    def _left(self) -> float:
        return max(SHORTEST_PATIENCE, self._deadline - time.monotonic())


@dataclass(frozen=True)
class Document:
    """The file to be read. It is sent under a name that tells nothing but its kind."""

    path: Path
    name: str

    @classmethod
    def at(cls, path: Path, filename: str) -> Document:
        """The file at `path`, which was uploaded as `filename`."""
        suffix = Path(filename).suffix.lower()
        return cls(path, "document" + (suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""))

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @contextmanager
    def opened(self, watch: Callable[[], None]) -> Iterator[BinaryIO]:
        """The bytes; every reading of a piece asks `watch` first."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError as error:
            raise Unreadable(DocumentError.FILE_LOST) from error
        with file:
            yield _Watched(file, watch)  # type: ignore[misc]


class _Watched:
    """A file that says when it is read."""

    def __init__(self, file: BinaryIO, watch: Callable[[], None]) -> None:
        self._file, self._watch = file, watch

    def read(self, size: int = -1) -> bytes:
        self._watch()
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _nothing() -> None:
    pass
