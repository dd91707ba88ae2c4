"""From the text of a document to the JSON that its rule asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from config.language_model import RULES
from etl.documents.choices import DocumentError, RuleMode
from etl.documents.models import ETLRule, ETLTask
from etl.documents.parsed import Report, Unreadable
from etl.documents.shaping.chunks import divided, merged, without_required
from etl.documents.shaping.schemas import RuleShape
from llm.choices import GeneratorKind
from llm.completions import Completion, Composed
from llm.door import complete
from llm.prompts import SOURCES_ARE_DATA, Message, Purpose, source, system, user
from llm.rules import schemas
from llm.rules.markdown import structure

PURPOSE = Purpose("document", version=1)
LONGEST_PART, MOST_PARTS = 12_000, 40  # characters; a longer text is asked about in parts
INSTRUCTIONS = (
    "You turn a document into JSON that fits the schema you are given. Take every value from the document, word for "
    "word and figure for figure; what the document does not say you leave out, or null where the schema demands it. "
    + SOURCES_ARE_DATA
)
PART = "This is part {number} of {parts} of the document. Answer with what this part says only."
WRAPPED = "wrap/1"


@dataclass(frozen=True)
class Shaped:
    """The JSON, who made it, what it cost, and which fields nothing was found for."""

    output: Any
    generator: dict[str, Any]  # {kind, name, model}
    unresolved: list[str] = field(default_factory=list)
    tokens: int | None = None


def shape(text: str, task: ETLTask, rule: ETLRule | None, *, report: Report) -> Shaped:
    """Shape the Markdown `text` of a task to its rule. May take minutes; holds no lock and no transaction.

    Without a rule, and with one of the mode `wrap`, the text is kept as it is. `report` hears of parts shaped. Raises
    RunFailed ("schema-mismatch") when the result does not fit the schema, and what llm.door.complete() raises.
    """
    if rule is None or rule.mode == RuleMode.WRAP:
        shaped = Shaped({"filename": task.filename, "content": text}, _generator(GeneratorKind.RULES, WRAPPED))
    else:
        shaped = _by_schema(text, task, rule, report)
    if rule is not None:
        try:
            RuleShape(rule.json_schema).read(shaped.output)
        except (ValueError, RecursionError) as error:
            raise Unreadable(DocumentError.SCHEMA_MISMATCH, str(error)) from error
    return shaped


def _by_schema(text: str, task: ETLTask, rule: ETLRule, report: Report) -> Shaped:
    if settings.LLM_PROVIDER == RULES:
        return _by_rules(text, task, rule)
    parts = divided(text, longest=LONGEST_PART)
    if len(parts) > MOST_PARTS:
        raise Unreadable(DocumentError.TEXT_TOO_LONG, f"{len(parts)} > {MOST_PARTS} × {LONGEST_PART}")
    schema = rule.json_schema if len(parts) == 1 else without_required(rule.json_schema)
    completions = []
    for number, part in enumerate(parts, start=1):
        messages = _messages(rule, task, part)
        if len(parts) > 1:
            messages.append(user(PART.format(number=number, parts=len(parts))))
        completions.append(complete(messages, schema=RuleShape(schema), purpose=PURPOSE, run=task))
        report(number, len(parts))
    return _shaped(merged([each.data for each in completions]), completions)


def _by_rules(text: str, task: ETLTask, rule: ETLRule) -> Shaped:
    found = schemas.Fitted({})

    def by_rules() -> Composed:
        nonlocal found
        try:
            found = schemas.fit(structure(text), rule.json_schema)
        except ValueError as error:
            raise Unreadable(DocumentError.TEXT_TOO_LONG, str(error)) from error
        return Composed(data=found.data, name=schemas.NAME)

    # held to the schema by shape(): what rules could not find is the document's fault and not a bad answer
    completion = complete(_messages(rule, task, text), purpose=PURPOSE, run=task, by_rules=by_rules)
    return _shaped(completion.data, [completion], unresolved=found.unresolved)


def _messages(rule: ETLRule, task: ETLTask, text: str) -> list[Message]:
    return [
        system(f"{INSTRUCTIONS}\n\n{rule.system_prompt}".strip()),
        source(task.filename, text),
        user("Turn the document above into JSON."),
    ]


def _shaped(output: Any, completions: list[Completion], unresolved: list[str] | None = None) -> Shaped:
    last = completions[-1]
    spent = [(each.usage.tokens_in, each.usage.tokens_out) for each in completions]
    known = [tokens for each in spent for tokens in each if tokens is not None]
    return Shaped(
        output,
        generator=_generator(last.generator_kind, last.generator_name, last.model),
        unresolved=unresolved or [],
        tokens=sum(known) if len(known) == 2 * len(spent) else None,
    )


def _generator(kind: str, name: str, model: str | None = None) -> dict[str, Any]:
    return {"kind": str(kind), "name": name, "model": model}
