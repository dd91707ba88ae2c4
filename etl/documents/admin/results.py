"""What a task has made, as its page shows it: the text beside the JSON, who made them, and the files to take along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.utils.safestring import SafeString

from desk.badges import badge
from etl.documents import storage
from etl.documents.admin.trees import Tree, drawn
from etl.documents.choices import Stage
from etl.documents.mineru import credit_of
from etl.documents.models import DocumentStep, ETLTask
from etl.documents.notes import notes_in_words
from etl.documents.parsed import Unreadable
from llm.choices import GeneratorKind
from llm.generator import generator_label
from runs.choices import StepOutcome

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
class Text:
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

    text: Text | None
    tree: Tree | None
    is_too_long: bool
    generator: SafeString | None
    unresolved: list[str]


def read_step(steps: Sequence[DocumentStep]) -> DocumentStep | None:
    """The record of the last reading that gave a text."""
    made = [step for step in steps if step.step == Stage.PARSE and step.outcome != StepOutcome.FAILED and step.output]
    return made[-1] if made else None


def files_of(task: ETLTask, steps: Sequence[DocumentStep]) -> list[TaskFile]:
    """The upload, and what was made of it."""
    stem = PurePath(task.filename).stem or "document"
    found = [TaskFile("original", task.file, task.filename, "application/octet-stream")]
    if (step := read_step(steps)) is not None and (key := step.output.get("file")):
        found.append(TaskFile("text", key, f"{stem}.md", "text/markdown; charset=utf-8"))
    if task.result and (key := task.result.get("output_path")):
        found.append(TaskFile("result", key, f"{stem}.json", "application/json"))
    return found


def result_of(task: ETLTask, steps: Sequence[DocumentStep]) -> Result | None:
    """Everything that is there; None while nothing is."""
    step = read_step(steps)
    text = _text(step.output) if step is not None else None
    result = task.result or {}
    if text is None and not result:
        return None
    has_output = "output" in result
    is_too_long = (result.get("output_size") or 0) > OUTPUT_SHOWN
    return Result(
        text=text,
        tree=drawn(result["output"]) if has_output and not is_too_long else None,
        is_too_long=is_too_long,
        generator=_generator(result.get("generator") or {}),
        unresolved=list(map(str, result.get("unresolved") or [])),
    )


def _text(output: dict[str, Any]) -> Text | None:
    try:
        with storage.path_of(output.get("file") or "-").open("rb") as file:
            content = file.read(TEXT_SHOWN + 1)
    except (Unreadable, OSError):
        return None
    parser = str(output.get("parser") or "")
    return Text(
        content=content[:TEXT_SHOWN].decode(errors="ignore"),
        is_cut=len(content) > TEXT_SHOWN,
        parser=parser,
        credit=credit_of(parser),
        pages=output.get("pages"),
        notes=notes_in_words((output.get("notes") or [])[:NOTES_SHOWN]),
    )


def _generator(made_by: dict[str, Any]) -> SafeString | None:
    kind = made_by.get("kind")
    if kind not in GeneratorKind.values:
        return None
    label = generator_label(kind, made_by.get("model"))
    return badge(label, "warning" if kind == GeneratorKind.RULES else "neutral", str(made_by.get("name") or ""))
