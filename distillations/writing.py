"""The one door through which articles come: what a slot and its task know goes in, a text comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from distillations.choices import GeneratorKind, Provider, TaskError
from distillations.models import GenerationSlot, GenerationTask, KnowledgeDocument
from runs.errors import RunFailed

LONGEST_TITLE = 500
DOCUMENTS_QUOTED, QUOTED_CHARACTERS = 5, 400


@dataclass(frozen=True)
class Written:
    """A text in Markdown, and who made it."""

    title: str
    content: str
    provider: str
    generator_kind: str
    generator_name: str
    model: str | None = None
    image_url: str = ""

    def storable(self) -> Written:
        """The same as the database can hold it. Raises RunFailed ("empty-article") when there is no text."""
        title, content = _storable(self.title), _storable(self.content)
        if not content:
            raise RunFailed(TaskError.EMPTY_ARTICLE)
        return replace(self, title=title[:LONGEST_TITLE] or _("Untitled article"), content=content)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def write_article(slot: GenerationSlot, run: GenerationTask) -> Written:
    """The article of one slot. May take minutes; holds no lock and no transaction.

    Raises RunFailed for an article that cannot be written, which fails its slot only, and Outage while what writes is
    away, which lets the whole task wait.
    """
    return _outline(slot, run)


def _outline(slot: GenerationSlot, run: GenerationTask) -> Written:
    """An outline by rules, quoting from the knowledge base: nothing is invented."""
    lines = [f"# {slot.question}", ""]
    documents = KnowledgeDocument.objects.filter(knowledge_base=run.knowledge_base_id).order_by("id")
    for document in documents[:DOCUMENTS_QUOTED] if run.knowledge_base_id else []:
        lines += [f"## {document.title}", "", f"> {' '.join(document.content[:QUOTED_CHARACTERS].split())}", ""]
    lines += [f"- {slot.keyword}", f"- {slot.question}"]
    if run.conversion_target_name:
        lines.append(f"- {run.conversion_target_name}")
    return Written(
        title=slot.question,
        content="\n".join(lines),
        provider=Provider.RULES,
        generator_kind=GeneratorKind.RULES,
        generator_name="outline",
    )
