"""Which parser reads documents here (ETL_PARSER)."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from etl.documents.mineru.parser import MineruParser
from etl.documents.parsed import Parser
from etl.documents.parsing.local import LocalParser


@cache
def configured_parser() -> Parser:
    """The parser that the settings name."""
    return MineruParser() if settings.ETL_PARSER == "mineru" else LocalParser()
