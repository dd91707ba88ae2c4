"""The attributes cell: from an object as it was typed to the object we store.

Product sync specification, "Normalise": empty markers and nulls are dropped, `||` splits a value into a
sorted unique list, numbers, booleans and nested values keep their type, other lists their order. Dropping
and splitting are for the attributes themselves: inside nested values a null or '无' may carry meaning, so
there only text is trimmed and composed.
"""

from decimal import Decimal
from typing import Any, NamedTuple
from unicodedata import is_normalized

import msgspec

from etl.products import cells
from etl.products.cells import MAX_INTEGER
from etl.products.choices import RejectReason
from etl.products.versioning import sorted_json

FIELD = "attributes"
SEPARATOR = "||"
Container = dict[Any, Any] | list[Any]
# a number whose exact text differs from how it is written: what holds it, where, and that text
Respelled = tuple[Container, Any, str]
EMPTY_MARKERS = frozenset({"", "无", "不适用", "空", "--"})


class Attributes(NamedTuple):
    """Their JSON: as it is stored, and as it is hashed."""

    stored: bytes
    exact: bytes


def read_attributes(cell: Any) -> Attributes:
    """The attributes as stored and as hashed; missing is {}."""
    tree = None if cell is None else cells.read_json(FIELD, cell)
    if tree is None:
        return Attributes(b"{}", b"{}")
    if type(tree) is not dict:
        raise cells.rejected(RejectReason.WRONG_SHAPE, FIELD, "is not a JSON object", cell)
    try:
        return _written(tree)
    except UnicodeEncodeError:
        raise cells.lone_surrogate(FIELD, cell) from None


def _written(tree: dict[str, Any]) -> Attributes:
    respelled: list[Respelled] = []
    kept = _kept(tree, respelled)
    stored = sorted_json(kept)
    # one look at the whole text costs a tenth of a look at every string; a part of NFC text is NFC
    if not stored.isascii() and not is_normalized("NFC", stored.decode()):
        respelled.clear()
        kept = _kept(_composed(tree), respelled)
        stored = sorted_json(kept)
    if not respelled:
        return Attributes(stored, stored)
    for container, place, exact in respelled:
        container[place] = msgspec.Raw(exact.encode())
    return Attributes(stored, sorted_json(kept))


def split(text: str) -> list[str]:
    """The parts between `||`, trimmed, sorted and unique; blank parts are none."""
    return sorted({part for piece in text.split(SEPARATOR) if (part := piece.strip())})


def _kept(tree: dict[str, Any], respelled: list[Respelled]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    dropped = set()
    for key, value in tree.items():
        key = key.strip()
        if type(value) is str:
            value = value.strip()
            if SEPARATOR in value:
                value = [part for part in split(value) if part not in EMPTY_MARKERS] or None
            elif value in EMPTY_MARKERS:
                value = None
        elif value is not None:
            _tidy(value, kept, key, 2, respelled)
        if value is None:
            dropped.add(key)
        else:
            kept[key] = value
    if len(kept) != len(tree) and len(kept.keys() | dropped) != len(tree):
        raise _duplicate(tree)
    return kept


def _tidy(value: Any, parent: Container, place: Any, depth: int, respelled: list[Respelled]) -> None:
    """Trims the text inside a value, in place, and checks its numbers and depth.

    `parent` will hold it at `place`. Texts and plain integers are dealt with inline and nothing is copied:
    that halved the time of the walk.
    """
    kind = type(value)
    if kind is dict:
        if depth > cells.MAX_DEPTH:
            raise cells.too_deep(FIELD)
        untrimmed_key = False
        for key, item in value.items():
            trimmed = key.strip()
            if trimmed is not key:  # strip() returns the text itself when there is nothing to strip
                untrimmed_key = True
            if type(item) is str:
                if (text := item.strip()) is not item:
                    value[key] = text
            elif type(item) is not int or not -MAX_INTEGER <= item <= MAX_INTEGER:
                _tidy(item, value, trimmed, depth + 1, respelled)
        if untrimmed_key:
            _trim_keys(value)
    elif kind is list:
        if depth > cells.MAX_DEPTH:
            raise cells.too_deep(FIELD)
        for index, item in enumerate(value):
            if type(item) is str:
                if (text := item.strip()) is not item:
                    value[index] = text
            else:
                _tidy(item, value, index, depth + 1, respelled)
    elif kind is int:
        cells.json_integer(FIELD, value)
    elif kind is Decimal and (exact := cells.json_number(FIELD, value)) != str(value):
        respelled.append((parent, place, exact))


def _trim_keys(tree: dict[str, Any]) -> None:
    trimmed = {key.strip(): item for key, item in tree.items()}
    if len(trimmed) != len(tree):
        raise _duplicate(tree)
    tree.clear()
    tree.update(trimmed)


def _composed(value: Any) -> Any:
    """The tree with every text and key in NFC. Runs after _kept(), which has bounded the depth."""
    if type(value) is str:
        return cells.composed(FIELD, value)
    if type(value) is list:
        return [_composed(item) for item in value]
    if type(value) is dict:
        composed = {cells.composed(FIELD, key): _composed(item) for key, item in value.items()}
        if len(composed) != len(value):
            raise _duplicate(value)
        return composed
    return value


def _duplicate(tree: dict[str, Any]) -> cells.RowRejected:
    # keeping one of the two would lose the other without a word
    return cells.rejected(RejectReason.DUPLICATE_KEY, FIELD, "holds two keys that become the same", tree)
