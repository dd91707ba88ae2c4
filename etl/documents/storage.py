"""Where uploaded files and what was made of them lie: by the id of their task, never by a name from outside.

DOCUMENTS_DIR/incoming/<random>              while it is uploaded
DOCUMENTS_DIR/<task>/source                  the file
DOCUMENTS_DIR/<task>/text-0-<content>.md     what was read from it, the number that of the retry
DOCUMENTS_DIR/<task>/output-0-<content>.json what it was shaped to

No fence stands before a file: a worker that lost its task may still write. So what is made has a name by its content,
and a late writer never changes what the row of another names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from etl.documents.choices import DocumentError
from etl.documents.models import ETLTask
from etl.documents.parsed import Unreadable
from runs.whole_files import sync_folder, write_whole

INCOMING = "incoming"
SOURCE = "source"
NAMED_BY = 16  # hex digits of a content's SHA-256
ORPHAN_AFTER_SECONDS = 24 * 3600  # an upload that has no task by then never gets one


@dataclass(frozen=True)
class Received:
    """An upload on disk that has no task yet."""

    path: Path
    filename: str
    sha256: str
    size: int


def receive(filename: str, pieces: Iterable[bytes]) -> Received:
    """Put an upload on disk, counted and hashed. Raises Unreadable when it is too large or empty, OSError when the
    disk refuses; then nothing is left."""
    path = _root() / INCOMING / secrets.token_hex(16)
    digest, size = hashlib.sha256(), 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            size += len(piece)
            if size > settings.ETL_MAX_BYTES:
                raise Unreadable(DocumentError.TOO_LARGE, f"> {settings.ETL_MAX_BYTES}")
            digest.update(piece)
            yield piece
        if size == 0:
            raise Unreadable(DocumentError.EMPTY_FILE)

    write_whole(path, counted(), mode=0o600)
    return Received(path, filename, digest.hexdigest(), size)


def discard(received: Received) -> None:
    """Forget an upload that becomes no task."""
    with contextlib.suppress(OSError):
        received.path.unlink()


def take_in(received: Received) -> tuple[int, str]:
    """Move an upload to the place of a task that does not exist yet; the task's id and the file's key.

    The row comes after the file: a crash between them leaves a file without a row, which sweep_orphans() finds, and
    never a row without its file.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('etl_task', 'id'))")
        pk: int = cursor.fetchone()[0]
    folder = _root() / str(pk)
    folder.mkdir()
    os.replace(received.path, folder / SOURCE)
    sync_folder(folder)
    sync_folder(_root())
    return pk, f"{pk}/{SOURCE}"


def path_of(key: str) -> Path:
    """The file under a key that this module gave. Raises Unreadable ("file-lost") when it is gone."""
    path = _root() / key
    if not path.is_file():
        raise Unreadable(DocumentError.FILE_LOST, key)
    return path


def keep(task: ETLTask, what: str, extension: str, content: bytes) -> str:
    """Put something made of a task's document beside it; its key. The same content again is the same file."""
    name = f"{what}-{task.retries}-{hashlib.sha256(content).hexdigest()[:NAMED_BY]}.{extension}"
    write_whole(_root() / str(task.pk) / name, [content], mode=0o600)
    return f"{task.pk}/{name}"


def read(key: str, most: int = -1) -> bytes:
    """What lies under a key, or so many bytes of it. Raises Unreadable ("file-lost") when it is gone."""
    try:
        with path_of(key).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise Unreadable(DocumentError.FILE_LOST, key) from error


def orphans(*, older_than_seconds: float = ORPHAN_AFTER_SECONDS) -> list[Path]:
    """Uploads that never became a task, and folders whose task does not exist, if they are that old."""
    before = time.time() - older_than_seconds
    root = _root()
    loose = [path for path, changed in _listed(root / INCOMING) if changed < before]
    folders = {int(path.name): path for path, changed in _listed(root) if path.name.isdigit() and changed < before}
    known = set(ETLTask.objects.filter(pk__in=list(folders)).values_list("pk", flat=True))
    return loose + [path for pk, path in sorted(folders.items()) if pk not in known]


def sweep_orphans(*, older_than_seconds: float = ORPHAN_AFTER_SECONDS, limit: int | None = None) -> int:
    """Delete them, or so many of them; how many are gone."""
    found = orphans(older_than_seconds=older_than_seconds)[:limit]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return sum(not path.exists() for path in found)


def _listed(folder: Path) -> list[tuple[Path, float]]:
    """What lies there, and when it was changed; what is moved away meanwhile does not."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_mtime))
    return found


def _root() -> Path:
    return Path(settings.DOCUMENTS_DIR)
