"""What the screens of this room point at, and how they show what is gone."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

SHOWN_CHARACTERS = 80


def list_of(model: type[models.Model], **query: Any) -> str:
    """The address of a list with a filter; empty where the model has no screen."""
    address = _address(model, "changelist")
    return f"{address}?{urlencode(query)}" if address and query else address


def page_of(model: type[models.Model], pk: Any) -> str:
    """The address of an object's page; empty where there is neither."""
    return _address(model, "change", pk) if pk is not None else ""


def link_to(model: type[models.Model], pk: Any, label: Any) -> SafeString | str:
    """The label as a link to the object, where it has a page."""
    address = page_of(model, pk)
    shown = short(label)
    return format_html('<a href="{}">{}</a>', address, shown) if address else shown


def named(label: Any, *, is_deleted: bool, model: type[models.Model] | None = None, pk: Any = None) -> SafeString | str:
    """What is still there by its name, with a link; what is not by its snapshot, and said to be deleted."""
    if is_deleted:
        return format_html("{}{}", short(label), deleted())
    return link_to(model, pk, label) if model else short(label)


def deleted() -> SafeString:
    """The mark behind the name of what is gone."""
    return format_html('<span class="deleted">{}</span>', _(" (deleted)"))


def short(text: Any) -> str:
    """A text as a cell of a table holds it."""
    return Truncator(str(text)).chars(SHOWN_CHARACTERS)


def _address(model: type[models.Model], page: str, *args: Any) -> str:
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
    except NoReverseMatch:
        return ""
