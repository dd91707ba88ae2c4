"""Files that are there whole or not at all, whatever kills their writer."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from runs.failpoints import reached


def write_whole(path: Path, pieces: Iterable[bytes], *, mode: int = 0o644) -> None:
    """Put `pieces` at `path`, replacing what was there: under another name first, on disk, then at once.

    Folders above are made. Raises OSError when the disk refuses and what the iteration raises; then nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name of its own each time: a killed writer's remains are in nobody's way
    temporary = path.with_name(f".unfinished-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        reached("rename.before")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
