"""What a task has made, as its page shows it: the text beside the JSON, who made them, and the files to take along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.utils.safestring import SafeString

from desk.badges import badge
from etl.documents.admin.trees import Tree, drawn
from etl.documents.models import ETLTask
from etl.documents.parsed import Unreadable
from etl.documents.texts import Text
from llm.choices import GeneratorKind
from llm.generator import generator_label

TEXT_SHOWN = 60_000  # bytes; the rest is in the download
OUTPUT_SHOWN = 5_000_000  # bytes; a longer one is only a download
NOTES_SHOWN = 200


@dataclass(frozen=True)
class TaskFile:
    """Something to take along; `name` is its place in the address."""

    name: str
    key: str
    download_name: str
    content_type: str


@dataclass(frozen=True)
class ShownText:
    """What was read, or the beginning of it."""

    content: str
    is_cut: bool
    parser: str
    credit: str
    pages: int | None
    notes: list[str]


@dataclass(frozen=True)
class Result:
    """What a page shows of a task; parts that are not there yet are None."""

    text: ShownText | None
    tree: Tree | None
    is_too_long: bool
    generator: SafeString | None
    unresolved: list[str]


def files_of(task: ETLTask, text: Text | None) -> list[TaskFile]:
    """The upload, and what was made of it."""
    stem = PurePath(task.filename).stem or "document"
    found = [TaskFile("original", task.file, task.filename, "application/octet-stream")]
    if text is not None:
        found.append(TaskFile("text", text.key, f"{stem}.md", "text/markdown; charset=utf-8"))
    if key := (_facts(task) or {}).get("output_path"):
        found.append(TaskFile("result", key, f"{stem}.json", "application/json"))
    return found


def result_of(task: ETLTask, text: Text | None) -> Result | None:
    """Everything that is there; None while nothing is."""
    facts, shown = _facts(task), _shown(text)
    if shown is None and facts is None:
        return None
    facts = facts or {}
    is_too_long = (facts.get("output_size") or 0) > OUTPUT_SHOWN
    output = None if is_too_long else ETLTask.objects.filter(pk=task.pk).outputs().first()
    return Result(
        text=shown,
        tree=None if output is None else drawn(output),
        is_too_long=is_too_long,
        generator=_generator(facts.get("generator") or {}),
        unresolved=list(map(str, facts.get("unresolved") or [])),
    )


def _facts(task: ETLTask) -> dict[str, Any] | None:
    facts: dict[str, Any] | None = ETLTask.objects.filter(pk=task.pk).result_facts().first()
    return facts


def _shown(text: Text | None) -> ShownText | None:
    if text is None:
        return None
    try:
        content = text.beginning(TEXT_SHOWN + 1)
    except Unreadable:
        return None
    return ShownText(
        content=content[:TEXT_SHOWN].decode(errors="ignore"),
        is_cut=len(content) > TEXT_SHOWN,
        parser=text.parser,
        credit=text.credit,
        pages=text.pages,
        notes=text.in_words[:NOTES_SHOWN],
    )


def _generator(made_by: dict[str, Any]) -> SafeString | None:
    kind = made_by.get("kind")
    if kind not in GeneratorKind.values:
        return None
    label = generator_label(kind, made_by.get("model"))
    return badge(label, "warning" if kind == GeneratorKind.RULES else "neutral", str(made_by.get("name") or ""))
