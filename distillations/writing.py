"""The one door through which articles come: what a slot and its task know goes in, a text comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

from django.utils.translation import gettext as _

from distillations.choices import TaskError
from distillations.models import GenerationSlot, GenerationTask, KnowledgeDocument
from distillations.prompts import Facts, filled
from llm.completions import Completion
from llm.door import complete
from llm.prompts import SOURCES_ARE_DATA, Message, Purpose, clean, source, system, user
from llm.rules.articles import article
from llm.rules.sentences import Source
from runs.errors import RunFailed

PURPOSE = Purpose("article", version=1)
LONGEST_TITLE = 500
DOCUMENTS_GIVEN, CHARACTERS_GIVEN = 20, 20_000  # so many documents, and so much of each
TITLE_LINE = re.compile(r"^\s*(?:#+\s*|\**(?:标题|title)\**\s*[:：]\s*)(.+?)\s*#*\s*$", re.IGNORECASE)
INSTRUCTIONS = (
    "You write one article in Markdown that answers the question it is given, in the language of the question. "
    "The first line is its title as a heading. Name no facts, figures or sources that you were not given. "
    + SOURCES_ARE_DATA
)
WISH = "Write an article about {keyword} that answers: {topics}"


@dataclass(frozen=True)
class Written:
    """A text in Markdown, and who made it."""

    title: str
    content: str
    provider: str
    generator_kind: str
    generator_name: str
    generator_model: str | None = None
    image_url: str = ""

    def storable(self) -> Written:
        """The same as the database can hold it. Raises RunFailed ("empty-article") when there is no text."""
        title, content = clean(self.title).strip(), clean(self.content).strip()
        if not content:
            raise RunFailed(TaskError.EMPTY_ARTICLE)
        return replace(self, title=title[:LONGEST_TITLE] or _("Untitled article"), content=content)


def write_article(slot: GenerationSlot, run: GenerationTask) -> Written:
    """The article of one slot, by the configured model or by rules. May take minutes; holds no lock, no transaction.

    Raises RunFailed for an article that cannot be written, which fails its slot only, and Outage while what writes is
    away, which lets the whole task wait. Topic, setting and documents are text of others: data, whatever they say.
    """
    documents = _documents(run)
    completion = complete(
        _messages(slot, run, documents),
        purpose=PURPOSE,
        run=run,
        part=str(slot.position),
        by_rules=partial(
            article, slot.keyword, slot.question, [Source(each.title, each.content) for each in documents]
        ),
    )
    return Written(
        title=_title_of(completion, slot),
        content=completion.text,
        provider=completion.provider,
        **completion.generator,
    )


def _documents(run: GenerationTask) -> list[KnowledgeDocument]:
    if run.knowledge_base_id is None:
        return []
    shelf = KnowledgeDocument.objects.filter(knowledge_base=run.knowledge_base_id).order_by("id")
    return list(shelf[:DOCUMENTS_GIVEN])


def _messages(slot: GenerationSlot, run: GenerationTask, documents: list[KnowledgeDocument]) -> list[Message]:
    target, setting = run.conversion_target, run.article_setting
    facts = Facts(
        keyword=slot.keyword,
        topics=(slot.question,),
        company_name=run.conversion_target_name,
        company_industry=target.industry if target else "",
        company_website=target.website if target else "",
        company_address=target.address if target else "",
        knowledge_base=tuple(each.title for each in documents),
    )
    wish = filled(setting.prompt if setting else WISH, facts)
    sources = [source(each.title, each.content[:CHARACTERS_GIVEN]) for each in documents]
    return [system(INSTRUCTIONS), *sources, user(wish)]


def _title_of(completion: Completion, slot: GenerationSlot) -> str:
    """The first line that says it is a title, as a heading or by name; else the question."""
    for line in completion.text.splitlines():
        if found := TITLE_LINE.match(line):
            return found[1].strip("*# ")
    return slot.question
