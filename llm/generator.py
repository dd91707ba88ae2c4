"""Who wrote a text, on the row that holds it and wherever it is shown.

A model of a domain inherits Generated, adds generated_constraints() to its own, and shows generator_label;
a text that leaves the house carries the same line (labelled).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from desk.badges import badge
from llm.choices import GeneratorKind


def generated_constraints() -> list[models.BaseConstraint]:
    """What must never be false of a generated row: a model is named exactly where one wrote it."""
    by_model = Q(generator_kind=GeneratorKind.LLM)
    return [
        models.CheckConstraint(
            condition=Q(generator_kind__in=GeneratorKind.values),
            name="%(class)s_generator_is_known",
            violation_error_message=_("A text is written by rules, by a language model or by hand."),
        ),
        models.CheckConstraint(
            condition=(by_model & Q(generator_model__isnull=False) & ~Q(generator_model=""))
            | (~by_model & Q(generator_model__isnull=True)),
            name="%(class)s_names_model_iff_llm",
            violation_error_message=_("Only what a language model wrote names a model, and it always does."),
        ),
    ]


class Generated(models.Model):
    """A row whose text was made by rules, by a model or by a person, and says so."""

    generator_kind = models.CharField(_("written by"), max_length=8, choices=GeneratorKind)
    generator_name = models.CharField(
        _("generator"), max_length=100, blank=True, help_text=_("The set of rules with its version, or the provider.")
    )
    generator_model = models.CharField(_("model"), max_length=200, null=True, blank=True)  # noqa: DJ001 - none is no model

    class Meta:
        abstract = True

    @property
    def is_by_model(self) -> bool:
        """Whether a language model wrote it."""
        return self.generator_kind == GeneratorKind.LLM

    @property
    def generator_label(self) -> str:
        """What every screen, answer and file that shows the text says of its origin."""
        return generator_label(self.generator_kind, self.generator_model)

    @property
    def generator_badge(self) -> SafeString:
        """The same as a badge; rules stand out."""
        return badge(self.generator_label, "warning" if self.generator_kind == GeneratorKind.RULES else "neutral")


def generator_label(kind: str, model: str | None = None, language: str | None = None) -> str:
    """Who wrote it, in words of the reader's language or the one asked for."""
    with translation.override(language or translation.get_language()):
        label = str(GeneratorKind(kind).label)
        return f"{label} ({model})" if model else label


def labelled(text: str, kind: str, model: str | None = None, language: str | None = None) -> str:
    """A Markdown text as it may leave the house: headed by its label, once, whatever language it was labelled in."""
    labels = (generator_label(kind, model, code) for code, _name in settings.LANGUAGES)
    if text.startswith(tuple(f"> {label}" for label in labels)):
        return text
    return f"> {generator_label(kind, model, language)}\n\n{text}"
