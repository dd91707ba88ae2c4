"""How files come in over HTTP: what is too much is refused while it comes, and not when it lies on the disk."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler

from etl.documents.choices import DocumentError
from etl.documents.parsed import Unreadable
from etl.documents.services import MOST_FILES, not_allowed, too_many_files


class StopAtLimit(FileUploadHandler):
    """Refuses a file at the first byte beyond ETL_MAX_BYTES, and the first file too many; keeps nothing itself."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._files = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count it."""
        super().new_file(*args, **kwargs)
        self._files += 1
        if self._files > MOST_FILES:
            raise too_many_files()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Hand it on to whoever keeps it."""
        if start + len(raw_data) > settings.ETL_MAX_BYTES:
            raise not_allowed(str(self.file_name), Unreadable(DocumentError.TOO_LARGE, f"> {settings.ETL_MAX_BYTES}"))
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The file is another handler's to give."""
