"""Reading one loosely typed cell of a staging row: text, number, price, flag or JSON.

PostgreSQL sources deliver text; a MySQL source may deliver Decimal, int, float, bool, list or dict.
Whatever a cell holds, the outcome is a value of the promised type or RowRejected.
"""

import json
import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from itertools import groupby
from reprlib import Repr
from typing import Any
from unicodedata import combining, is_normalized, normalize

import msgspec

from api.codec import decode
from etl.products.choices import RejectReason
from etl.products.versioning import exact_text

MAX_DEPTH = 100
MAX_INTEGER = 2**53  # beyond it a reader that knows only doubles (JavaScript) sees another number
# a number written out in full: 1e-999999 is 8 bytes in the cell and a megabyte in the version
MAX_NUMBER_LENGTH = 400
# NFC sorts a run of combining marks in quadratic time: 80,000 marks took 4 s; Unicode's own limit is 30
MAX_MARKS = 1000

_CENT = Decimal("0.01")
_ROUNDING = Context(rounding=ROUND_HALF_UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
_PRICE_DIGITS = 10  # before the point, in numeric(12,2)
# Decimal() itself also accepts full-width digits and underscores
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_PRICE_AS_STORED = re.compile(r"(?:0|[1-9][0-9]{0,9})\.[0-9]{2}").fullmatch
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan[0-9]*|inf(?:inity)?)", re.IGNORECASE).fullmatch

# True, 1, 1.0 and Decimal(1) are one key; the bytes are MySQL's BIT(1)
_FLAGS: dict[Any, bool] = dict.fromkeys([True, "true", "1", "y", "Y", "是", b"\x01"], True) | dict.fromkeys(
    [None, "", False, "false", "0", "n", "N", "否", b"\x00"], False
)

_shown = Repr()
_shown.maxlevel, _shown.maxstring, _shown.maxother = 2, 80, 80


class RowRejected(Exception):
    """A source row that cannot become a product: the reason's slug, the field and an English sentence.

    The detail is safe to store anywhere: NUL and lone surrogates in it are written as escapes.
    """

    def __init__(self, slug: RejectReason, field: str, detail: str) -> None:
        super().__init__(slug, field, detail)
        self.slug = slug
        self.field = field
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def rejected(reason: RejectReason, field: str, fault: str, value: Any = None) -> RowRejected:
    """The rejection whose detail reads "<field> <fault>: <value, cut to about 80 characters>"."""
    shown = "" if value is None else f": {_show(value)}"
    return RowRejected(reason, field, f"{field} {fault}{shown}")


def _show(value: Any) -> str:
    try:
        text = _shown.repr(value)
    except Exception:  # a foreign type's own repr, or an integer of more than 4,300 digits
        text = f"a value of type {type(value).__name__}"
    return text[:100].replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


# --- Text ----------------------------------------------------------------------------------------


def read_text(field: str, cell: Any) -> str:
    """Trimmed NFC text; missing is ''. Numbers become their digits; anything else is wrong-shape."""
    if type(cell) is not str:
        cell = _as_text(field, cell)
    return composed(field, cell).strip()


def plain(text: str) -> str:
    """The text without the subclass it came in (a driver's, or Django's SafeString): msgspec wants str."""
    return str.__str__(text)


def composed(field: str, text: str) -> str:
    """NFC of a text. Trim after, not before: NFC turns some spaces into others."""
    if text.isascii() or is_normalized("NFC", text):
        return text
    if len(text) > MAX_MARKS and _longest_run_of_marks(text) > MAX_MARKS:
        raise rejected(RejectReason.TOO_MANY_MARKS, field, "holds too many combining marks in a row", text)
    return normalize("NFC", text)


def _longest_run_of_marks(text: str) -> int:
    return max(sum(1 for _ in run) for _, run in groupby(text, key=lambda mark: combining(mark) > 0))


def _as_text(field: str, cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return plain(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{bounded(field, Decimal(int(cell))):f}"
    if isinstance(cell, Decimal):
        return f"{bounded(field, cell):f}"
    if isinstance(cell, float):
        return exact_text(bounded(field, from_float(cell)))
    raise rejected(RejectReason.WRONG_SHAPE, field, "is not text", cell)


# --- Numbers -------------------------------------------------------------------------------------


def from_float(number: float) -> Decimal:
    """The shortest decimal that is this double, so 0.1 is 0.1."""
    return Decimal(float.__repr__(number))


def bounded(field: str, number: Decimal) -> Decimal:
    """The number, if it is finite and short enough to be written out in full."""
    # adjusted() first: writing 1e999999 out to measure it would be the cost that is guarded against
    if (
        number.is_finite()
        and -MAX_NUMBER_LENGTH <= number.adjusted() <= MAX_NUMBER_LENGTH
        and len(f"{number:f}") <= MAX_NUMBER_LENGTH
    ):
        return number
    raise rejected(RejectReason.NUMBER_OUT_OF_RANGE, field, "holds a number out of range", number)


def json_number(field: str, number: Decimal) -> str:
    """The exact text of a bounded number that is no integer beyond 2^53, however it is written (1e20)."""
    text = str(number)
    if len(text) <= 15 and "E" not in text and number.is_finite():
        return exact_text(number)
    text = exact_text(bounded(field, number))
    if "." not in text and abs(int(text)) > MAX_INTEGER:
        raise rejected(RejectReason.NUMBER_OUT_OF_RANGE, field, "holds an integer beyond 2^53", number)
    return text


def json_integer(field: str, number: int) -> int:
    if -MAX_INTEGER <= number <= MAX_INTEGER:
        return number
    raise rejected(RejectReason.NUMBER_OUT_OF_RANGE, field, "holds an integer beyond 2^53", number)


# --- Price and flag ------------------------------------------------------------------------------


def read_price(cell: Any) -> str:
    """The price as text with two decimals, rounded half-up; it fits numeric(12,2).

    Text must be an ASCII decimal number, with an exponent if need be: no currency, no thousands separator.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if _PRICE_AS_STORED(text):
            return text
        cell = text
    if cell is None or cell == "":
        raise rejected(RejectReason.PRICE_MISSING, "price", "is missing")
    price = _price_number(cell)
    if not price.is_finite():
        raise rejected(RejectReason.PRICE_NOT_FINITE, "price", "is not finite", cell)
    if price < 0:
        raise rejected(RejectReason.PRICE_NEGATIVE, "price", "is negative", cell)
    if not price:
        return "0.00"
    if price.adjusted() < _PRICE_DIGITS:
        rounded = price.quantize(_CENT, context=_ROUNDING)
        if rounded.adjusted() < _PRICE_DIGITS:
            return str(rounded)
    raise rejected(RejectReason.PRICE_TOO_LARGE, "price", "does not fit numeric(12,2)", cell)


def _price_number(cell: Any) -> Decimal:
    if isinstance(cell, str):
        return _price_from_text(cell)
    if isinstance(cell, bool) or not isinstance(cell, (Decimal, int, float)):
        raise rejected(RejectReason.PRICE_NOT_A_NUMBER, "price", "is not a number", cell)
    return from_float(cell) if isinstance(cell, float) else Decimal(cell)


def _price_from_text(text: str) -> Decimal:
    if not _DECIMAL(text):
        if _NOT_FINITE(text):
            return Decimal("NaN")
        raise rejected(RejectReason.PRICE_NOT_A_NUMBER, "price", "is not a number", text)
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of 19 digits or more
        raise rejected(RejectReason.PRICE_TOO_LARGE, "price", "has an exponent out of range", text) from None


def read_flag(field: str, cell: Any) -> bool:
    """true/false, 1/0, Y/N in any case, 是/否, native booleans and numbers; missing or blank is False."""
    try:
        flag = _FLAGS.get(cell)
    except TypeError:  # a list, or a signalling NaN, has no hash
        flag = None
    if flag is None and isinstance(cell, str):
        flag = _FLAGS.get(normalize("NFC", cell.strip()[:10]).lower())
    if flag is None:
        raise rejected(RejectReason.BAD_FLAG, field, "is neither true nor false", cell)
    return flag


# --- JSON ----------------------------------------------------------------------------------------


def read_json(field: str, cell: Any) -> Any:
    """The JSON value of a cell in exact types (str, int, bool, Decimal, list, dict) or None.

    Text is parsed, and once more if it holds a JSON string: a jsonb column may carry JSON text. Blank text
    is missing. Of a key written twice in the text the last counts, as in jsonb.
    """
    if not isinstance(cell, str):
        return _native(field, cell, 1)
    value = _parsed(field, plain(cell))
    return _parsed(field, value) if type(value) is str else value


def _parsed(field: str, text: str) -> Any:
    try:
        return decode(text)
    except RecursionError:
        raise too_deep(field) from None
    except UnicodeEncodeError:
        raise lone_surrogate(field, text) from None
    except (msgspec.ValidationError, InvalidOperation):  # an integer or exponent of absurd length
        raise rejected(RejectReason.NUMBER_OUT_OF_RANGE, field, "holds a number out of range", text) from None
    except msgspec.DecodeError as error:
        if not text.strip():
            return None
        if "\x00" in text:
            raise nul_character(field, text) from None
        if _has_lone_escape(text):
            raise lone_surrogate(field, text) from None
        raise rejected(RejectReason.INVALID_JSON, field, f"is not valid JSON ({error})", text) from None


def _has_lone_escape(text: str) -> bool:
    """Tells half a surrogate pair from other bad JSON: the standard parser accepts only the former."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _native(field: str, value: Any, depth: int) -> Any:
    """A driver's own value in the types the JSON parser would have given."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return from_float(value)
    if isinstance(value, Decimal):
        return Decimal(value)
    if depth > MAX_DEPTH:
        raise too_deep(field)
    if isinstance(value, list):
        return [_native(field, item, depth + 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {plain(key): _native(field, item, depth + 1) for key, item in value.items()}
    raise rejected(RejectReason.WRONG_SHAPE, field, "holds what JSON has no name for", value)


def too_deep(field: str) -> RowRejected:
    return rejected(RejectReason.TOO_DEEP, field, f"is nested deeper than {MAX_DEPTH}")


def lone_surrogate(field: str, value: Any) -> RowRejected:
    return rejected(RejectReason.LONE_SURROGATE, field, "holds half a surrogate pair", value)


def nul_character(field: str, value: Any) -> RowRejected:
    return rejected(RejectReason.NUL_CHARACTER, field, "holds a NUL character", value)
