"""Documents read in this house, by libraries, without a server or a model."""

from __future__ import annotations

from pathlib import Path

from etl.documents.choices import DocumentError
from etl.documents.parsed import Parsed, Remote, Report, Unreadable
from etl.documents.parsing import fence
from etl.documents.parsing.media import limits_of_this_house


class LocalParser:
    """The parser of ETL_PARSER=local. A document is recognised and read in a process of its own (see `fence`)."""

    def parse(self, path: Path, *, filename: str, report: Report, remote: Remote) -> Parsed:
        """Read the file; see etl.documents.parsed.Parser. `remote` is for others."""
        if not path.is_file():
            raise Unreadable(DocumentError.FILE_LOST)
        answer = fence.read(path, filename=filename, limits=limits_of_this_house(), report=report)
        return Parsed(
            markdown=answer.markdown,
            parser=f"local ({answer.facts['parser']})",
            pages=answer.facts["pages"],
            notes=answer.facts["notes"],
        )
