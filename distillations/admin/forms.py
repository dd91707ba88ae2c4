"""What an operator is asked before there is a distillation, and an administrator before its use is forgotten."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from distillations.keywords import cleaned_keyword, cleaned_questions
from distillations.models import Distillation, DistillationRun
from distillations.models.sources import FEWEST_TOPICS, MOST_TOPICS


def _beside_its_field(check: Any, text: Any) -> Any:
    """What the service would refuse is refused here, beside its field."""
    try:
        return check(text)
    except ValidationError as error:
        raise ValidationError(error.messages) from error


class KeywordForm(forms.ModelForm):
    """The keyword of a distillation that exists."""

    class Meta:
        model = Distillation
        fields = ("keyword",)

    def clean_keyword(self) -> str:
        """As the service stores it."""
        return _beside_its_field(cleaned_keyword, self.cleaned_data["keyword"])


class ByHandForm(KeywordForm):
    """A keyword and the questions somebody thought of."""

    questions = forms.CharField(
        label=_("Questions"),
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField"}),
        help_text=_("One per line; each becomes a topic. Blank and repeated lines are left out."),
    )

    def clean_questions(self) -> list[str]:
        """As the service stores them."""
        return _beside_its_field(cleaned_questions, self.cleaned_data["questions"].splitlines())


class RunForm(forms.ModelForm):
    """A keyword, and into how many questions it is turned."""

    topic_count = forms.IntegerField(
        label=_("Topics"),
        min_value=FEWEST_TOPICS,
        max_value=MOST_TOPICS,
        initial=DistillationRun._meta.get_field("topic_count").default,
        help_text=_("How many questions people ask about it: 5 to 30."),
    )

    class Meta:
        model = DistillationRun
        fields: ClassVar = ("keyword", "topic_count")

    def clean_keyword(self) -> str:
        """As the service stores it."""
        return _beside_its_field(cleaned_keyword, self.cleaned_data["keyword"])


class TotalForm(forms.Form):
    """Whoever forgets every use types how many there are."""

    total = forms.IntegerField(
        label=_("Number of uses"),
        min_value=0,
        widget=forms.NumberInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text=_("Type the number above, so that nothing is forgotten by a slip."),
    )
