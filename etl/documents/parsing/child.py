"""The process in which a document is read: `python -m etl.documents.parsing.child`, started by `fence`.

It knows neither Django nor the settings. The request comes as JSON on stdin; what it has to say goes out on what was
its stdout, a line of JSON at a time:

    {"read": 3, "of": 40}                        how far it is
    {"refused": "encrypted", "text": "…"}        no repeat makes it readable
    {"bytes": 1234, "parser": "…", …}            read; the Markdown follows in so many bytes

Ending in any other way is a death, and the reason is on stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl.documents.parsing import guard
from etl.documents.parsing.limits import Limits
from etl.documents.parsing.refused import Refused, Why

REPORT_EVERY_SECONDS = 0.1
FACTS_BYTES = 500

Tell = Callable[[dict[str, Any], bytes], None]
Work = Callable[[dict[str, Any], Limits, Callable[[int, int | None], None]], tuple[dict[str, Any], str]]


def serve(work: Work) -> None:
    """Read the request, give up every right, do the work, answer."""
    tell = _own_voice()
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    guard.enter(limits, request["parent"])
    try:
        facts, markdown = work(request, limits, _reporting(tell))
        text = markdown.encode()
        if len(text) > limits.text_bytes:
            raise Refused(Why.TEXT_TOO_LONG, f"{len(text)} bytes of text, at most {limits.text_bytes}")
    except Refused as refused:
        tell({"refused": refused.why.value, "text": refused.text[:FACTS_BYTES]}, b"")
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # whatever a library stumbles over is in the file
        traceback.print_exc()
        tell({"refused": Why.DAMAGED.value, "text": type(error).__name__}, b"")
    else:
        tell({"bytes": len(text), **facts}, text)


def _own_voice() -> Tell:
    """The pipe to the parent, out of reach for libraries that print."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(message: dict[str, Any], payload: bytes) -> None:
        pipe.write(json.dumps(message).encode() + b"\n" + payload)
        pipe.flush()

    return tell


def _reporting(tell: Tell) -> Callable[[int, int | None], None]:
    last = 0.0

    def report(read: int, of: int | None = None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_EVERY_SECONDS or read == of:
            last = now
            tell({"read": read, "of": of}, b"")

    return report


def _read(
    request: dict[str, Any], limits: Limits, report: Callable[[int, int | None], None]
) -> tuple[dict[str, Any], str]:
    from etl.documents.parsing.gate.kinds import kind_of
    from etl.documents.parsing.readers import read

    path = Path(request["path"])
    found = read(kind_of(path, request["filename"], limits), path, limits, report)
    return {"parser": found.parser, "pages": found.pages, "notes": found.notes}, found.markdown


if __name__ == "__main__":
    serve(_read)
