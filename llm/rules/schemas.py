"""A document's structure fitted to a JSON Schema by the names of its fields. Nothing is guessed.

A property takes, in this order: the `key: value` line of its name; the section under a heading of its name; for an
array of objects also the table whose headings name most of its fields. Names are compared without case, width, spaces,
dashes and underscores, the property's `title` counting as its name. A value that does not read as the property's type
is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from llm.rules.markdown import Section, all_sections, plain

NAME = "rules-schema/1"
NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
WORDS = {"true": True, "yes": True, "是": True, "有": True, "false": False, "no": False, "否": False, "无": False}
SEPARATORS = re.compile(r"\s*[;；、]\s*|\n+")
BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)、])\s+", re.MULTILINE)
DEEPEST = 8
MISSING = object()

Schema = dict[str, Any]


@dataclass
class Fitted:
    """What was found, and the paths (RFC 6901) of properties for which nothing was."""

    data: dict[str, Any]
    unresolved: list[str] = field(default_factory=list)


def fit(found: Section, schema: Schema) -> Fitted:
    """The properties of the schema as far as the document has them. Without properties, the structure itself."""
    if not isinstance(schema.get("properties"), dict) or not schema["properties"]:
        return Fitted(dict(found))
    result = Fitted({})
    result.data = _object(found, schema, "", result.unresolved)
    return result


def _object(section: Section, schema: Schema, path: str, unresolved: list[str]) -> dict[str, Any]:
    data = {}
    for name, wanted in schema.get("properties", {}).items():
        below = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        wanted = wanted if isinstance(wanted, dict) else {}
        value = _value(section, name, wanted, below, unresolved)
        if value is not MISSING:
            data[name] = value
    return data


def _value(section: Section, name: str, schema: Schema, path: str, unresolved: list[str]) -> Any:
    kind = _kind(schema)
    if kind == "object" and schema.get("properties") and path.count("/") <= DEEPEST:
        part = _section_named(section, name, schema) or section
        value = _object(part, schema, path, unresolved)
        return value or MISSING
    value = _array(section, name, schema) if kind == "array" else _scalar(section, name, schema, kind)
    if value is MISSING:
        unresolved.append(path)
        if "null" in _kinds(schema):
            return None
    return value


def _scalar(section: Section, name: str, schema: Schema, kind: str) -> Any:
    names = _names(name, schema)
    for each in all_sections(section):
        for label, text in each["fields"].items():
            if plain(label) in names and (value := _read(text, kind)) is not MISSING:
                return value
    part = _section_named(section, name, schema)
    if part is not None and kind == "string" and part["text"]:
        return part["text"]
    return _title(section) if kind == "string" and names & {"title", "标题"} else MISSING


def _title(section: Section) -> Any:
    """The first heading, which is what a document calls itself."""
    return next((each["title"] for each in all_sections(section) if each["title"]), MISSING)


def _array(section: Section, name: str, schema: Schema) -> Any:
    given = schema.get("items")
    items: Schema = given if isinstance(given, dict) else {}
    part = _section_named(section, name, schema)
    if _kind(items) == "object" and items.get("properties"):
        tables = [table for each in all_sections(part or section) for table in each["tables"]]
        return _records(tables, items["properties"])
    texts = _listed(part["text"]) if part is not None else []
    if not texts:
        text = _scalar(section, name, schema, "string") if part is None else MISSING
        texts = _listed(text) if isinstance(text, str) else []
    read = [_read(text, _kind(items)) for text in texts]
    return MISSING if not read or MISSING in read else read


def _records(tables: Iterable[list[dict[str, str]]], properties: dict[str, Any]) -> Any:
    """The rows of every table with the headings that name the most properties; MISSING when none names any."""
    best: tuple[int, Any] = (0, MISSING)
    for table in tables:
        columns = {
            name: heading
            for name, schema in properties.items()
            for heading in (table[0] if table else ())
            if plain(heading) in _names(name, schema if isinstance(schema, dict) else {})
        }
        if not columns:
            continue
        rows = [_record(row, columns, properties) for row in table]
        if len(columns) == best[0]:
            best[1].extend(rows)  # a table that goes on over the page, or under another heading
        elif len(columns) > best[0]:
            best = (len(columns), rows)
    return best[1]


def _record(row: dict[str, str], columns: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    read = {name: _read(row[heading], _kind(properties[name])) for name, heading in columns.items()}
    empty = {name for name, value in read.items() if value is MISSING}
    nullable = {name for name in empty if "null" in _kinds(properties[name])}
    return {name: None if name in nullable else value for name, value in read.items() if name not in empty - nullable}


def _section_named(section: Section, name: str, schema: Schema) -> Section | None:
    names = _names(name, schema)
    return next((each for each in all_sections(section) if each is not section and plain(each["title"]) in names), None)


def _names(name: str, schema: Schema) -> set[str]:
    title = schema.get("title")
    return {plain(each) for each in (name, title) if isinstance(each, str) and plain(each)}


def _kinds(schema: Any) -> set[str]:
    kinds = schema.get("type") if isinstance(schema, dict) else None
    return {kinds} if isinstance(kinds, str) else set(kinds or ()) if isinstance(kinds, list) else set()


def _kind(schema: Any) -> str:
    """The one type that is not null; a text where the schema does not say."""
    if isinstance(schema, dict) and not _kinds(schema) and "properties" in schema:
        return "object"
    return next(iter(sorted(_kinds(schema) - {"null"})), "string")


def _listed(text: str) -> list[str]:
    return [each.strip() for each in SEPARATORS.split(BULLET.sub("", text)) if each.strip()]


def _read(text: str, kind: str) -> Any:
    """The text as a value of this type; MISSING when it is none, rather than a part of it."""
    text = text.strip()
    if kind == "string":
        return text or MISSING
    if kind == "boolean":
        return WORDS.get(text.casefold(), MISSING)
    if kind in ("number", "integer") and NUMBER.fullmatch(text):
        number = Decimal(text.replace(",", ""))
        if "." not in text:
            return int(number)
        return number if kind == "number" else MISSING
    return MISSING
