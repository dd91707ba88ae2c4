"""What administrators do to prices, on record."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from access.services import record
from llm.models import LLMPrice


@transaction.atomic
def save_price(price: LLMPrice, *, actor: Any) -> None:
    """Store a new or changed price. What calls have cost until now stays as it was counted."""
    old = LLMPrice.objects.select_for_update().filter(pk=price.pk).first()
    if old is None:
        price.save(force_insert=True)
        record(actor=actor, action="llm-price.added", target=price, after=facts(price))
        return
    price.save(update_fields=["model", "currency", "input_per_million", "output_per_million", "valid_from"])
    record(actor=actor, action="llm-price.changed", target=price, before=facts(old), after=facts(price))


@transaction.atomic
def delete_price(price: LLMPrice, *, actor: Any) -> None:
    """Take a price away."""
    record(actor=actor, action="llm-price.deleted", target=price, before=facts(price))
    price.delete()


def facts(price: LLMPrice) -> dict[str, Any]:
    """A price as the audit log keeps it."""
    return {
        "model": price.model,
        "currency": price.currency,
        "inputPerMillion": price.input_per_million,
        "outputPerMillion": price.output_per_million,
        "validFrom": price.valid_from,
    }
