"""Asks an endpoint that speaks chat completions, with bounded patience.

The SDK's own repeats are off: ours end before a deadline, heed Retry-After only as far as it reaches, and are
counted. The body is read in pieces, since a server that sends one byte a second never runs into a read timeout.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2  # what the SDK speaks HTTP with
import openai
from django.conf import settings

from llm.answers import Shape
from llm.choices import Outcome
from llm.prompts import Message, clean

MOST_BYTES = 16_000_000
TOLD_CHARACTERS = 1_000
BACKOFF_SECONDS = (0.5, 8.0)  # first and longest pause, when the server names none
SHORTEST_TRY_SECONDS = 0.1
A_DAY = 86_400.0

JSON_SCHEMA, JSON_OBJECT, PLAIN = "json_schema", "json_object", "text"
SIMPLER = {JSON_SCHEMA: JSON_OBJECT, JSON_OBJECT: PLAIN}

UNKNOWN_FORMAT = re.compile(r"response_format|json_schema|json_object|structured.output|not.support|unsupported", re.I)
TOO_LONG = re.compile(
    r"context_length_exceeded|(maximum|max|exceed\w*|longer than)[^.]{0,60}context|context[ _](length|window|size)"
    r"|prompt is too long|too many (input )?tokens|maximum (input|prompt) length",
    re.I,
)
OUT_OF_CREDIT = re.compile(r"insufficient_quota|insufficient.balance|exceeded your current quota|billing", re.I)

REPEATED = {Outcome.BUSY, Outcome.FAILING, Outcome.TIMEOUT, Outcome.UNREACHABLE}

# which servers took no better format; learnt once per process
_simplest: dict[tuple[str, str], str] = {}


@dataclass
class Exchange:
    """What one call brought, and how."""

    raw: str | None = None  # None: no answer
    outcome: Outcome = Outcome.ANSWERED
    finish_reason: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    http_attempts: int = 0
    http_status: int | None = None
    answer_format: str = ""
    error_text: str = ""
    retry_after: float = 0
    seconds: float = 0


class _Trouble(Exception):
    """One request failed."""

    def __init__(self, outcome: Outcome, text: str, *, status: int | None = None, retry_after: float = 0) -> None:
        super().__init__(text)
        self.outcome, self.text, self.status, self.retry_after = outcome, text, status, retry_after


def host_of(base_url: str) -> str:
    """Which server that is."""
    parts = urlsplit(base_url)
    return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")


def exchange(messages: Sequence[Message], shape: Shape | None) -> Exchange:
    """Ask, and ask again while that may help and time is left. Never raises for what a server does."""
    began = time.monotonic()
    deadline = began + settings.LLM_TOTAL_SECONDS
    place = (settings.LLM_BASE_URL, settings.LLM_MODEL)
    done = Exchange(answer_format=_simplest.get(place, JSON_SCHEMA) if shape else PLAIN)
    repeats = 0
    with _client() as client:
        while True:
            done.http_attempts += 1
            try:
                _take(done, _request(client, messages, shape, done.answer_format, deadline))
                break
            except _Trouble as trouble:
                if trouble.outcome == Outcome.REQUEST_REFUSED and _is_about_format(trouble, done.answer_format):
                    done.answer_format = _simplest[place] = SIMPLER[done.answer_format]
                    continue
                done.outcome, done.error_text = trouble.outcome, trouble.text
                done.http_status, done.retry_after = trouble.status, trouble.retry_after
                pause = _pause(trouble, repeats)
                if trouble.outcome not in REPEATED or repeats >= settings.LLM_RETRIES:
                    break
                if time.monotonic() + pause + SHORTEST_TRY_SECONDS > deadline:
                    break  # the run waits instead, for as long as the server wishes
                time.sleep(pause)
                repeats += 1
    done.seconds = time.monotonic() - began
    return done


def probe() -> tuple[int | None, str]:
    """The status of a request that costs nothing, and why there is none."""
    with _client() as client:
        try:
            answer = client.with_options(timeout=settings.LLM_CONNECT_SECONDS).models.with_raw_response.list()
        except openai.APIStatusError as error:
            return error.status_code, _said(error)
        except openai.APIConnectionError as error:
            return None, _reason(error)
        except openai.OpenAIError as error:
            return None, _told(error)
        return answer.status_code, ""


def _client() -> openai.OpenAI:
    return openai.OpenAI(
        base_url=settings.LLM_BASE_URL,
        api_key=settings.LLM_API_KEY or "none",  # servers without keys want none, but the SDK does
        max_retries=0,
        # the SDK takes these from its own variables and would tell them to any server
        default_headers={"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit},  # type: ignore[dict-item]
        http_client=openai.DefaultHttpxClient(verify=_trusted()),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates of this machine. Read once: it takes longer than all else a request costs us."""
    return httpx2.create_ssl_context()


def _request(
    client: openai.OpenAI, messages: Sequence[Message], shape: Shape | None, answer_format: str, deadline: float
) -> dict[str, Any]:
    """One request, its body as JSON. Raises _Trouble."""
    left = max(SHORTEST_TRY_SECONDS, deadline - time.monotonic())
    patience = openai.Timeout(left, connect=min(left, settings.LLM_CONNECT_SECONDS))
    wish: dict[str, Any] = {"model": settings.LLM_MODEL, "messages": list(messages), "timeout": patience}
    if shape is not None:
        wish |= _format_wish(wish["messages"], shape, answer_format)
    try:
        with client.chat.completions.with_streaming_response.create(**wish) as answer:
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if time.monotonic() > deadline:
                    raise _Trouble(Outcome.TIMEOUT, "The answer took too long.")
                if len(body) > MOST_BYTES:
                    raise _Trouble(Outcome.FAILING, "The answer is too large.", status=answer.status_code)
            status = answer.status_code
    except openai.APIStatusError as error:
        raise _trouble_of(error) from error
    except openai.APITimeoutError as error:
        raise _Trouble(Outcome.TIMEOUT, _reason(error)) from error
    except openai.APIConnectionError as error:
        raise _Trouble(Outcome.UNREACHABLE, _reason(error)) from error
    except openai.OpenAIError as error:
        raise _Trouble(Outcome.FAILING, _told(error)) from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:  # while the body was read
        outcome = Outcome.TIMEOUT if isinstance(error, httpx2.TimeoutException) else Outcome.UNREACHABLE
        raise _Trouble(outcome, _told(error)) from error
    try:
        decoded = json.loads(bytes(body))
    except ValueError as error:
        raise _Trouble(Outcome.FAILING, f"No JSON: {_told(body[:200])}", status=status) from error
    if not isinstance(decoded, dict) or not _choice(decoded):
        raise _Trouble(Outcome.FAILING, f"No chat completion: {_told(body[:200])}", status=status)
    decoded["http_status"] = status
    return decoded


def _format_wish(messages: list[Message], shape: Shape, answer_format: str) -> dict[str, Any]:
    """How the answer's shape is asked for, as far as the server knows how."""
    schema = shape.json_schema
    if answer_format == JSON_SCHEMA:
        return {
            "response_format": {"type": JSON_SCHEMA, "json_schema": {"name": "answer", "schema": schema}},
        }
    told: Message = {
        "role": "system",
        "content": "Answer with one JSON object and nothing else. It has to fit this JSON Schema:\n"
        + json.dumps(schema, ensure_ascii=False, sort_keys=True),
    }
    at = next((at for at, each in enumerate(messages) if each["role"] != "system"), len(messages))
    wish: dict[str, Any] = {"messages": [*messages[:at], told, *messages[at:]]}
    if answer_format == JSON_OBJECT:
        wish["response_format"] = {"type": JSON_OBJECT}
    return wish


def _is_about_format(trouble: _Trouble, answer_format: str) -> bool:
    return answer_format in SIMPLER and trouble.status in (400, 422, 501) and bool(UNKNOWN_FORMAT.search(trouble.text))


def _take(done: Exchange, body: dict[str, Any]) -> None:
    """The answer, and the numbers the server sent with it."""
    choice = _choice(body)
    message = _object(choice.get("message"))
    content = message.get("content")
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    usage = _object(body.get("usage"))
    done.raw = clean(content if isinstance(content, str) else "")
    done.finish_reason = clean(str(choice.get("finish_reason") or ""))[:32]
    done.tokens_in, done.tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    done.http_status, done.outcome = body["http_status"], Outcome.ANSWERED
    done.error_text, done.retry_after = "", 0


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    return _object(choices[0]) if isinstance(choices, list) and choices else {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    """A number of tokens; None for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _trouble_of(error: openai.APIStatusError) -> _Trouble:
    status, said = error.status_code, _said(error)
    outcome = Outcome.REQUEST_REFUSED
    if status in (402, 429) and (status == 402 or OUT_OF_CREDIT.search(said)):
        outcome = Outcome.NO_CREDIT
    elif status == 429:
        outcome = Outcome.BUSY
    elif status in (401, 403):
        outcome = Outcome.KEY_REFUSED
    elif status == 413 or (status in (400, 422) and TOO_LONG.search(said)):
        outcome = Outcome.CONTEXT_TOO_LONG
    elif status in (408, 409, 425) or (status >= 500 and status != 501):
        outcome = Outcome.FAILING
    return _Trouble(outcome, said, status=status, retry_after=_retry_after(error))


def _retry_after(error: openai.APIStatusError) -> float:
    """How long the server asks to wait, in seconds or until a date; 0 when it does not say so."""
    wish = error.response.headers.get("retry-after", "").strip()
    try:
        seconds = float(wish) if wish[:1].isdigit() else parsedate_to_datetime(wish).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0
    return max(0.0, min(seconds, A_DAY))


def _pause(trouble: _Trouble, repeats: int) -> float:
    first, longest = BACKOFF_SECONDS
    pause = min(longest, first * 2**repeats) * random.uniform(0.75, 1)  # noqa: S311 - jitter, not a secret
    return max(pause, trouble.retry_after) if trouble.retry_after else pause


def _said(error: openai.APIStatusError) -> str:
    """What the server said, key and all cut out of it."""
    try:
        text = error.response.text
    except Exception:  # the body could not be read; the status says enough
        text = ""
    return _told(text or error.message)


def _reason(error: openai.APIConnectionError) -> str:
    cause = error.__cause__
    return _told(f"{type(cause).__name__}: {cause}" if cause else error)


def _told(what: Any) -> str:
    text = bytes(what).decode("utf-8", "replace") if isinstance(what, bytes | bytearray) else str(what)
    if settings.LLM_API_KEY:
        text = text.replace(settings.LLM_API_KEY, "…")
    return clean(text)[:TOLD_CHARACTERS]
