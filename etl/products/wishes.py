"""Which options of a product sync go together, and how products and times are named in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from etl.products.choices import Mode
from etl.products.models import MOST_SHARDS
from etl.products.normalise import readable_key
from etl.products.positions import FIRST_MOMENT

Key = tuple[str, str]

KEYS_AT_MOST = 10_000
# the last moment that has a local time everywhere
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)

# an option that is not here means something in every mode
MEANT_FOR: dict[str, set[Mode]] = {
    "lookback": {Mode.SYNC},
    "resume": {Mode.SYNC, Mode.FULL},  # a full compare begins at the first row anyway
    "max_batches": {Mode.SYNC, Mode.REPLAY},
    "max_rejects": {Mode.SYNC, Mode.FULL, Mode.REPLAY},
    "max_delete_percent": {Mode.FULL},
    "shards": {Mode.SYNC, Mode.FULL},
    "since": {Mode.REPLAY},
    "until": {Mode.REPLAY},
    "keys": {Mode.REPLAY},
}


def mode_asked(*, full: bool = False, rehash: bool = False, **replay: Any) -> Mode:
    """The mode that these options ask for; `replay` are since, until and keys, empty when not given.

    Raises ValidationError, by option, when they ask for two.
    """
    asked = {
        "full": Mode.FULL if full else None,
        "rehash": Mode.REHASH if rehash else None,
    } | {name: Mode.REPLAY if value else None for name, value in replay.items()}
    first, *others = [(name, mode) for name, mode in asked.items() if mode] or [("", Mode.SYNC)]
    for name, mode in others:
        if mode != first[1]:
            raise ValidationError({name: _cannot_go_with(first[1])})
    return first[1]


def keys_asked(pairs: Iterable[tuple[Any, Any]]) -> tuple[Key, ...]:
    """Brand and SKU as the normaliser would read them, each once. Raises ValidationError for what is no key."""
    keys: dict[Key, None] = {}
    for brand, sku in pairs:
        key = readable_key(brand, sku)
        if key is None:
            message = _("“%(key)s” names no product: brand and SKU have 1 to 64 characters each.")
            raise ValidationError({"keys": message % {"key": f"{brand}/{sku}"[:140]}})
        keys[key] = None
    if len(keys) > KEYS_AT_MOST:
        raise ValidationError({"keys": _("At most %(most)s keys can be named at once.") % {"most": KEYS_AT_MOST}})
    return tuple(keys)


def refuse_contradictions(options: Any) -> None:
    """Raise ValidationError, by option, when one was set that means nothing in this mode, or no row can match."""
    defaults = {each.name: each.default for each in fields(options) if each.default is not MISSING}
    for name, modes in MEANT_FOR.items():
        if options.mode not in modes and getattr(options, name) != defaults[name]:
            raise ValidationError({name: _is_out_of_place(options.mode, modes)})
    if not 1 <= options.shards <= MOST_SHARDS:
        raise ValidationError({"shards": _("A run has 1 to 64 shards.")})
    if options.shards > 1 and options.dry_run:
        raise ValidationError({"shards": _("A dry run compares with itself, so it cannot be divided.")})
    if options.shards > 1 and options.max_batches is not None:
        raise ValidationError({"shards": _("The first batches are of the undivided source: leave out the shards.")})
    if options.mode == Mode.REPLAY and not (options.since or options.until or options.keys):
        raise ValidationError({"keys": _("Say which rows to read: since, until or keys.")})
    for name in ("since", "until"):
        moment = getattr(options, name)
        if moment is not None and not FIRST_MOMENT <= moment < LAST_MOMENT:
            raise ValidationError({name: _("No row has such a time.")})
    if options.since is not None and options.until is not None and options.since > options.until:
        raise ValidationError({"until": _("The end lies before the beginning.")})


def _is_out_of_place(mode: Mode, modes: set[Mode]) -> str:
    if mode != Mode.SYNC:
        return _cannot_go_with(mode)
    only = ", ".join(str(each.label) for each in Mode if each in modes)
    return _("This goes only with: %(modes)s.") % {"modes": only}


def _cannot_go_with(mode: Mode) -> str:
    return _("This cannot be combined with: %(mode)s.") % {"mode": mode.label}
