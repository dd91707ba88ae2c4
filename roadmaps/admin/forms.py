"""What operators type into the screens of roadmaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.language_model import RULES
from roadmaps import planner
from roadmaps.choices import Level, StepName
from roadmaps.models import RoadmapTask
from roadmaps.services import LONGEST_FEEDBACK, refuse_unplannable
from roadmaps.wishes import LONGEST_QUERY, LONGEST_TEXT, MOST_HOURS, Wish

LANGUAGES = [("", gettext_lazy("As the wish is written")), ("en", "English"), ("zh", "中文")]
WISH_FIELDS = ("query", "level", "hours_per_week", "language", "motivation", "background")


def _text(label: Any, **options: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": 3, "maxlength": LONGEST_TEXT})
    return forms.CharField(label=label, required=False, max_length=LONGEST_TEXT, widget=area, **options)


class WishFields(forms.Form):
    """A wish, checked as the service will check it, and by the planner where it is the one who plans."""

    query = forms.CharField(
        label=gettext_lazy("What do you want to learn?"),
        max_length=LONGEST_QUERY,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=Level.choices, initial=Level.BEGINNER)
    hours_per_week = forms.IntegerField(
        label=gettext_lazy("Hours per week"), min_value=1, max_value=MOST_HOURS, initial=Wish.hours_per_week
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=LANGUAGES, required=False)
    motivation = _text(gettext_lazy("Motivation"), help_text=gettext_lazy("Why, and what for."))
    background = _text(gettext_lazy("Background"), help_text=gettext_lazy("What is known already."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                refuse_unplannable(self.wish())
            except ValidationError as error:
                self.refuse(error)
        return cleaned

    def wish(self) -> Wish:
        """The cleaned answers in the service's words. Raises ValidationError as the service would."""
        return Wish(**{name: self.cleaned_data[name] for name in WISH_FIELDS}).checked()

    def refuse(self, error: ValidationError) -> None:
        """Put what the service says beside the fields it speaks of."""
        for name, errors in (error.error_dict if hasattr(error, "error_dict") else {None: error}).items():
            self.add_error(name if name in self.fields else None, errors)


class NewRoadmapForm(WishFields):
    """A wish for a roadmap."""

    human_review = forms.BooleanField(
        label=gettext_lazy("With a review"),
        required=False,
        help_text=gettext_lazy("The tree waits for your approval before its contents are written."),
    )
    once = forms.CharField(widget=forms.HiddenInput, required=False)


class FromStepForm(forms.Form):
    """From which step a retry makes everything anew."""

    from_step = forms.ChoiceField(
        label=gettext_lazy("From this step on"),
        choices=[(step.value, step.label) for step in StepName if step != StepName.FINALIZING],
    )


class FeedbackForm(forms.Form):
    """What is to be changed in a tree."""

    feedback = forms.CharField(
        label=gettext_lazy("What should change?"),
        max_length=LONGEST_FEEDBACK,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


def wish_of(task: RoadmapTask) -> dict[str, Any]:
    """The wish of a task as the form shows it."""
    wish = Wish.from_json(task.user_request)
    return {name: getattr(wish, name) for name in WISH_FIELDS}


def plans_by_rules() -> bool:
    """Whether no language model is set up."""
    return bool(settings.LLM_PROVIDER == RULES)


def known_topics(language: str) -> Iterator[tuple[str, str]]:
    """The topics that rules know in this language of the house: (name, a wish for it)."""
    code = "zh" if language.startswith("zh") else "en"
    for name in planner.known_topics(code):
        yield name, f"学习{name}" if code == "zh" else f"Learn {name}"


def changes_of(task: RoadmapTask, cleaned: dict[str, Any]) -> dict[str, Any]:
    """What differs from the task's wish. Raises ValidationError when nothing does."""
    before = wish_of(task)
    changes = {name: cleaned[name] for name in WISH_FIELDS if cleaned[name] != before[name]}
    if changes == {"language": ""}:
        changes = {}
    if not changes:
        raise ValidationError(_("Nothing of the wish was changed."))
    return changes
