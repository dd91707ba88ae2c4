"""A text too long for one question, in parts; and the JSON of the parts as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

HEADING = re.compile(r"(?m)^(?=#{1,6} )")
PARAGRAPH = re.compile(r"\n{2,}")


def divided(text: str, *, longest: int) -> list[str]:
    """Parts of at most `longest` characters, cut before headings where that is possible, else between paragraphs,
    else between lines, else anywhere. Joined they are the text, but for the blank lines at the cuts."""
    parts: list[str] = []
    for piece in _pieces(text, longest):
        if parts and len(parts[-1]) + len(piece) + 2 <= longest:
            parts[-1] += "\n\n" + piece
        else:
            parts.append(piece)
    return parts


def _pieces(text: str, longest: int) -> list[str]:
    pieces = [text]
    for separator in (HEADING, PARAGRAPH, re.compile(r"\n")):
        pieces = [
            part.strip("\n")
            for piece in pieces
            for part in (separator.split(piece) if len(piece) > longest else [piece])
            if part.strip()
        ]
    return [piece[at : at + longest] for piece in pieces for at in range(0, len(piece), longest)]


def without_required(schema: Any) -> Any:
    """The schema for one part, which need not have everything: the same without `required` and lower bounds."""
    if isinstance(schema, dict):
        dropped = {"required", "minItems", "minProperties", "dependentRequired"}
        return {
            name: each if name in ("enum", "const", "default", "examples") else without_required(each)
            for name, each in schema.items()
            # below "properties" these are names of fields, not keywords
            if name not in dropped or (isinstance(each, dict) and name != "dependentRequired")
        }
    return [without_required(each) for each in schema] if isinstance(schema, list) else schema


def merged(parts: Sequence[Any]) -> Any:
    """One value of several: objects by key, lists one after the other, else the first that says something."""
    said = [part for part in parts if part not in (None, "", [], {})]
    if not said:
        return parts[0] if parts else None
    if all(isinstance(part, dict) for part in said):
        names = dict.fromkeys(name for part in said for name in part)
        return {name: merged([part[name] for part in said if name in part]) for name in names}
    if all(isinstance(part, list) for part in said):
        return [each for part in said for each in part]
    return said[0]
