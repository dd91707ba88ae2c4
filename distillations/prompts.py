"""What a writer is told: an article setting with its {placeholders} filled in. Pure: no database."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from distillations.texts import refused

PLACEHOLDERS = (
    "keyword", "topics", "topicsList", "companyName", "companyIndustry", "companyWebsite", "companyAddress",
    "knowledgeBase",
)  # fmt: skip
PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
LIKE_A_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")  # braces around anything else are just braces
DEFAULT = "{topics}"


@dataclass(frozen=True)
class Facts:
    """What an article is about. `knowledge_base` are the titles of the documents, which are given beside the prompt."""

    keyword: str
    topics: tuple[str, ...]
    company_name: str = ""
    company_industry: str = ""
    company_website: str = ""
    company_address: str = ""
    knowledge_base: tuple[str, ...] = ()

    def as_texts(self) -> dict[str, str]:
        """The text for each placeholder."""
        return {
            "keyword": self.keyword,
            "topics": "; ".join(self.topics),
            "topicsList": "\n".join(f"{number}. {topic}" for number, topic in enumerate(self.topics, 1)),
            "companyName": self.company_name,
            "companyIndustry": self.company_industry,
            "companyWebsite": self.company_website,
            "companyAddress": self.company_address,
            "knowledgeBase": "\n".join(f"- {title}" for title in self.knowledge_base),
        }


def filled(template: str, facts: Facts) -> str:
    """The template with its placeholders filled in once: what a fact says is not looked at for placeholders again.

    Without any placeholder in it the facts that there are follow behind it. Other braces stay as they are.
    """
    texts = facts.as_texts()
    if PLACEHOLDER.search(template):
        return PLACEHOLDER.sub(lambda found: texts[found[1]], template)
    lines = [f"{label}: {texts[name]}" for name, label in _labels().items() if texts[name]]
    return "\n".join([template.strip(), "", *lines]).strip()


def check_prompt(template: str) -> None:
    """Raises ValidationError, which names them, for placeholders that nothing would fill in."""
    unknown = [name for name in dict.fromkeys(LIKE_A_PLACEHOLDER.findall(template)) if name not in PLACEHOLDERS]
    if unknown:
        names = " ".join(f"{{{name}}}" for name in unknown)
        raise refused("prompt", gettext_lazy("Unknown placeholders: %(names)s"), "unknown-placeholder", names=names)


def _labels() -> dict[str, str]:
    return {
        "keyword": _("Keyword"),
        "topics": _("Topics"),
        "companyName": _("Company"),
        "companyIndustry": _("Industry"),
        "companyWebsite": _("Website"),
        "companyAddress": _("Address"),
        "knowledgeBase": _("Source material"),
    }
