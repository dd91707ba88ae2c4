"""What somebody wants to learn, as it is asked for and as a task keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from llm.prompts import clean
from roadmaps.choices import Level

LONGEST_QUERY, LONGEST_TEXT, MOST_FORMATS = 500, 2_000, 10
MOST_HOURS = 168  # a week has no more
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Wish:
    """A wish with its preferences. `language` is that of the query unless it is named."""

    query: str
    level: str = Level.BEGINNER.value
    hours_per_week: int = 6
    motivation: str = ""
    background: str = ""
    language: str = ""
    content_preference: tuple[str, ...] = ()
    deadline: date | None = None
    context: str = ""

    def checked(self) -> Wish:
        """The wish as it may be stored. Raises ValidationError with the field that cannot be."""
        wish = replace(
            self,
            query=clean(self.query).strip(),
            motivation=clean(self.motivation).strip(),
            background=clean(self.background).strip(),
            context=clean(self.context).strip(),
            content_preference=tuple(clean(each).strip() for each in self.content_preference),
        )
        if not wish.query:
            raise _refused("query", _("Say what you want to learn."))
        if len(wish.query) > LONGEST_QUERY:
            raise _refused("query", _("A wish has at most %(most)s characters.") % {"most": LONGEST_QUERY})
        for name in ("motivation", "background", "context"):
            if len(getattr(wish, name)) > LONGEST_TEXT:
                raise _refused(name, _("This text has at most %(most)s characters.") % {"most": LONGEST_TEXT})
        if wish.level not in Level.values:
            raise _refused("level", _("It must be one of: %(words)s.") % {"words": ", ".join(Level.values)})
        if not 1 <= wish.hours_per_week <= MOST_HOURS:
            raise _refused("hours_per_week", _("A week has 1 to %(most)s hours to learn in.") % {"most": MOST_HOURS})
        if len(wish.content_preference) > MOST_FORMATS or any(len(each) > 50 for each in wish.content_preference):
            raise _refused(
                "content_preference", _("At most %(most)s formats can be preferred.") % {"most": MOST_FORMATS}
            )
        language = wish.language or ("zh" if CHINESE.search(wish.query) else "en")
        if language not in ("zh", "en"):
            raise _refused("language", _("It must be one of: %(words)s.") % {"words": "zh, en"})
        return replace(wish, language=language)

    def as_json(self) -> dict[str, Any]:
        """As a task keeps it."""
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        return kept | {
            "content_preference": list(self.content_preference),
            "deadline": self.deadline.isoformat() if self.deadline else None,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Wish:
        """The wish of a task. What a later version of it would know is left out."""
        known = {each.name: kept[each.name] for each in fields(cls) if each.name in kept}
        known["content_preference"] = tuple(known.get("content_preference") or ())
        if known.get("deadline"):
            known["deadline"] = date.fromisoformat(known["deadline"])
        return cls(**known)

    def changed(self, changes: Mapping[str, Any]) -> Wish:
        """The wish with some of it changed, checked; the language of a new query is found anew."""
        if "query" in changes and "language" not in changes:
            changes = {**changes, "language": ""}
        return replace(self, **changes).checked()


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError({field: ValidationError(message, code="invalid")})
