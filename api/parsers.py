"""How bytes become a request's data."""

import io
import json
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from api.codec import decode
from api.renderers import JSONRenderer

# deeper JSON decodes, but walking or writing it again would run into Python's recursion limit
MAX_DEPTH = 100


class JSONParser(parsers.JSONParser):
    """Exact JSON: fractions as Decimal; what PostgreSQL cannot store as text is refused at the door."""

    # a subclass of DRF's, which then reads by request.body and so within DATA_UPLOAD_MAX_MEMORY_SIZE
    media_type = "application/json"
    renderer_class: Any = JSONRenderer

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read()
        try:
            data = decode(body)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON."), code="malformed-json") from error
        # the two cheap questions spare a walk through almost every body
        if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _check(data)
        _refuse_repeated_keys(body)
        return data


class LongJSONParser(parsers.BaseParser):
    """The same JSON in a body that may be longer than other routes allow; a route says how long in a subclass."""

    media_type = "application/json"
    at_most = 0  # bytes; no more are ever read

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(self.at_most + 1)
        if len(body) > self.at_most:
            raise RequestDataTooBig
        return JSONParser().parse(io.BytesIO(body), media_type, parser_context)


def _refuse_repeated_keys(body: bytes) -> None:
    """Of two values of one key the decoder keeps the last, silently; only the standard library tells."""

    def no_key_twice(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise ParseError(_("The key %s is given twice.") % _shown(key), code="repeated-key")
            seen.add(key)

    # numbers stay text: they are not looked at, and Python refuses to read very long ones
    json.loads(body, object_pairs_hook=no_key_twice, parse_int=str, parse_float=str)


def _shown(key: str) -> str:
    return repr(key if len(key) <= 80 else f"{key[:80]}…")


def _check(data: Any) -> None:
    waiting = [(data, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str) and "\0" in value:
            raise ParseError(_("Text may not contain the NUL character."), code="nul-character")
        if isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise ParseError(_("The body is nested deeper than %d levels.") % MAX_DEPTH, code="too-deep")
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            waiting.extend((each, depth + 1) for each in inner)
