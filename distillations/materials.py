"""What people want of conversion targets, article settings, knowledge bases and their documents.

Deleting them is services.delete_materials(), because tasks forget them then.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models
from django.utils.translation import gettext_lazy as _

from access.services import record
from distillations.deeds import in_transaction
from distillations.models import ArticleSetting, ConversionTarget, KnowledgeBase, KnowledgeDocument
from distillations.prompts import check_prompt
from distillations.texts import refuse_unstorable, refused
from runs.errors import Conflict
from runs.querysets import ClockTimestamp
from runs.transactions import sqlstate

LONGEST_PROMPT, LONGEST_DESCRIPTION, LONGEST_DOCUMENT = 50_000, 5_000, 1_000_000
LONGEST = {
    (ArticleSetting, "prompt"): LONGEST_PROMPT,
    (KnowledgeBase, "description"): LONGEST_DESCRIPTION,
    (KnowledgeDocument, "content"): LONGEST_DOCUMENT,
}
TEXT_AUDITED = 2_000  # characters of each text
UNIQUE_VIOLATION = "23505"
# https://example.org, example.org/x and example.org:8080 are addresses; javascript:… and mailto:… are none
_WEB_ADDRESS = re.compile(r"(?:https?://)?[^\s:/<>\"']+(?::[0-9]{1,5})?(?:/[^\s<>\"']*)?", re.IGNORECASE)

Material = TypeVar("Material", ConversionTarget, ArticleSetting, KnowledgeBase, KnowledgeDocument)


def create_material(model: type[Material], values: dict[str, Any], *, actor: Any) -> Material:
    """Store a target, setting, knowledge base or document.

    Raises ValidationError for what no field takes, Conflict ("name-taken") when another one has this name, and
    ObjectDoesNotExist when what it is to be part of was deleted.
    """

    def create() -> Material:
        for parent in values.values():
            if isinstance(parent, models.Model):  # which nobody deletes from here on
                type(parent)._default_manager.select_for_update(no_key=True).get(pk=parent.pk)
        made = model(**_stripped(values))
        _check(made)
        _stored(made, force_insert=True)
        record(actor=actor, action=f"{model._meta.model_name}.created", target=made, after=_audited(made, values))
        made.refresh_from_db()
        return made

    return in_transaction(create)


def change_material(material: Material, values: dict[str, Any], *, actor: Any) -> Material:
    """Write these fields of it; the material as it is then. Tasks and articles keep the name they were made with.

    What is no change is not written. Raises as create_material() does, and ObjectDoesNotExist when it was deleted.
    """
    model = type(material)

    def change() -> Material:
        found = model._default_manager.select_for_update(no_key=True).get(pk=material.pk)
        given = _stripped(values)
        changed: dict[str, Any] = {name: value for name, value in given.items() if getattr(found, name) != value}
        if not changed:
            return found
        before = _audited(found, changed)
        for name, value in changed.items():
            setattr(found, name, value)
        _check(found)
        found.updated_at = ClockTimestamp()  # type: ignore[assignment]
        _stored(found, update_fields=[*changed, "updated_at"])
        after = _audited(found, changed)
        record(actor=actor, action=f"{model._meta.model_name}.changed", target=found, before=before, after=after)
        found.refresh_from_db()
        return found

    return in_transaction(change)


def check_texts(model: type[models.Model], values: dict[str, Any]) -> None:
    """What no field of the database refuses: raises ValidationError, which names them, for texts that will not do."""
    errors: dict[str, Any] = {}
    for name, value in values.items():
        try:
            if isinstance(value, str):
                _check_text(model, name, value)
        except ValidationError as error:
            errors |= error.error_dict
    if errors:
        raise ValidationError(errors)


def _stripped(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}


def _check(material: models.Model) -> None:
    """Raises ValidationError. Whether the name is taken only the database knows for sure."""
    errors: dict[str, Any] = {}
    given = {field.name: getattr(material, field.attname) for field in material._meta.concrete_fields}
    try:
        check_texts(type(material), given)
    except ValidationError as error:
        errors |= error.error_dict
    try:
        material.clean_fields(exclude=["created_at", "updated_at", *errors])
    except ValidationError as error:
        errors |= error.error_dict
    if errors:
        raise ValidationError(errors)


def _check_text(model: type[models.Model], name: str, value: str) -> None:
    refuse_unstorable(name, value)
    most = LONGEST.get((model, name))  # type: ignore[call-overload]
    if most is not None and len(value) > most:
        raise refused(name, _("It has at most %(most)s characters."), "too-long", most=most)
    if model is ArticleSetting and name == "prompt":
        check_prompt(value)
    if name == "website" and value and not _WEB_ADDRESS.fullmatch(value):
        raise refused(name, _("It must be a web address as in https://example.org."), "not-a-web-address")


def _stored(material: models.Model, **how: Any) -> None:
    try:
        material.save(**how)
    except IntegrityError as error:
        if sqlstate(error) != UNIQUE_VIOLATION:
            raise
        message = _("There is already a %(kind)s with this name.") % {"kind": material._meta.verbose_name}
        raise Conflict("name-taken", message) from error


def _audited(material: models.Model, values: dict[str, Any]) -> dict[str, Any]:
    """These fields as the audit log keeps them: the beginning of a long text and how long it is."""
    return {material._meta.get_field(name).attname: _short(_plain(getattr(material, name))) for name in values}  # type: ignore[union-attr]


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, models.Model) else value


def _short(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= TEXT_AUDITED:
        return value
    return f"{value[:TEXT_AUDITED]}… ({len(value)})"
