"""What came back: the text of an answer, and the data in it checked against the shape asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
from pydantic import BaseModel, ValidationError

from api.codec import decode, encode
from llm.prompts import clean

# what reasoning models put before their answer
THOUGHTS = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
FENCED = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*[A-Za-z0-9_-]*[ \t]*\n(.*?)\n?[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE
)
FAULTS_TOLD = 10


class BadAnswer(Exception):
    """The answer does not fit; its text is what the model is told when it is asked again."""


class Shape(Protocol):
    """What an answer has to look like, when a pydantic model is not what one has (a JSON Schema of a user)."""

    json_schema: dict[str, Any]

    def read(self, value: Any) -> Any:
        """The checked data of a decoded JSON value, numbers as Decimal. Raises ValueError saying what is wrong."""


class OfModel:
    """The shape of a pydantic model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model
        self.json_schema = model.model_json_schema()

    def read(self, value: Any) -> BaseModel:
        try:
            # through JSON once more: only there are its types those of the schema
            return self.model.model_validate_json(encode(value))
        except ValidationError as error:
            raise ValueError(in_words(error)) from error


def shape_of(schema: type[BaseModel] | Shape | None) -> Shape | None:
    """A pydantic model as a shape; what is one already stays."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return OfModel(schema)
    return schema


def in_words(error: ValidationError) -> str:
    """Where and why, without pydantic's links; a long list is cut."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, each['loc'])) or '(root)'}: {each['msg']}" for each in told[:FAULTS_TOLD]]
    return "\n".join(lines + (["…"] if len(told) > FAULTS_TOLD else []))


def spoken(raw: str) -> str:
    """The answer without the thoughts before it. Raises BadAnswer when nothing is left."""
    text = THOUGHTS.sub("", clean(raw)).strip()
    if not text:
        raise BadAnswer("The answer is empty.")
    return text


def data_in(text: str, shape: Shape) -> Any:
    """The checked data of an answer that is JSON, perhaps fenced or with words around it.

    Raises BadAnswer with what is wrong with it.
    """
    fault = "The answer is not JSON."
    for candidate in _candidates(text):
        try:
            value = _without_nul(decode(candidate))
        except msgspec.DecodeError as error:
            fault = f"The answer is not JSON: {error}"
            continue
        except RecursionError as error:
            raise BadAnswer("The answer is nested too deeply.") from error
        try:
            return shape.read(value)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(str(error)) from error
    raise BadAnswer(fault)


def _candidates(text: str) -> Iterator[str]:
    """Where the JSON may be: all of it, in a fence, between the outermost brackets."""
    yield text
    yield from (found.group(2) for found in FENCED.finditer(text))
    for opening, closing in ("{}", "[]"):
        first, last = text.find(opening), text.rfind(closing)
        if -1 < first < last and (first > 0 or last < len(text) - 1):
            yield text[first : last + 1]


def _without_nul(value: Any) -> Any:
    """PostgreSQL's jsonb takes no U+0000, not even escaped."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value
