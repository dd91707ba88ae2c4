"""The JSON Schema of a rule: whether it can be used, whether an output fits it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.exceptions import ValidationError as Mismatch
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from api.codec import encode

MOST_BYTES = 100_000
DEEPEST = 32
FAULTS_TOLD = 5

# numbers come as Decimal, which jsonschema does not take for one
_types = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "number": lambda _checker, value: isinstance(value, int | float | Decimal) and not isinstance(value, bool),
        "integer": lambda _checker, value: (
            isinstance(value, int | Decimal) and not isinstance(value, bool) and value == int(value)
        ),
    }
)
_Validator = extend(Draft202012Validator, type_checker=_types)


class RuleShape:
    """What an output must look like, as llm.answers.Shape has it."""

    def __init__(self, json_schema: dict[str, Any]) -> None:
        self.json_schema = json_schema
        # an empty registry: a $ref that leads out of the schema is an error and never a request
        self._validator = _Validator(json_schema, registry=Registry())

    def read(self, value: Any) -> Any:
        """The value itself. Raises ValueError with the first few places where it does not fit."""
        try:
            faults = sorted(self._validator.iter_errors(value), key=lambda each: list(map(str, each.absolute_path)))
        except (Unresolvable, ArithmeticError) as error:
            raise ValueError(f"The schema cannot be applied: {error}") from error
        if faults:
            lines = [_in_words(each) for each in faults[:FAULTS_TOLD]]
            raise ValueError("\n".join(lines + (["…"] if len(faults) > FAULTS_TOLD else [])))
        return value


def check_schema(schema: Any) -> None:
    """Raises ValidationError for what is no usable JSON Schema (draft 2020-12) of an object."""
    if not isinstance(schema, dict):
        raise _refused(_("A schema is a JSON object."))
    if _depth(schema) > DEEPEST:
        raise _refused(_("The schema is nested more than %(levels)s levels deep."), levels=DEEPEST)
    if len(encode(schema)) > MOST_BYTES:
        raise _refused(_("The schema is longer than %(bytes)s bytes."), bytes=MOST_BYTES)
    if schema.get("type") != "object":
        raise _refused(_("The schema must be that of an object."))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise _refused(_("The schema is not valid: %(fault)s"), fault=_in_words(error)) from error
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise _refused(_("A $ref may only point into the schema itself, not to %(ref)r."), ref=reference[:200])
    try:
        RuleShape(schema).read({})
    except ValueError as error:
        if str(error).startswith("The schema cannot be applied"):
            raise _refused(_("The schema is not valid: %(fault)s"), fault=str(error)[:300]) from error
    except RecursionError as error:
        raise _refused(_("The schema refers to itself without end.")) from error


def _in_words(fault: Mismatch | SchemaError) -> str:
    where = "".join(f"/{each}" for each in fault.absolute_path) or "(root)"
    return f"{where}: {fault.message[:300]}"


def _refused(message: Any, **params: Any) -> ValidationError:
    return ValidationError({"json_schema": ValidationError(message, code="bad-schema", params=params)})


def _depth(value: Any) -> int:
    """How deep the nesting goes, without recursion: a schema of a thousand brackets is refused, not crashed on."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        current, level = waiting.pop()
        deepest = max(deepest, level)
        inside = current.values() if isinstance(current, dict) else current if isinstance(current, list) else ()
        waiting.extend((each, level + 1) for each in inside)
    return deepest


def _references(value: Any) -> list[str]:
    found, waiting = [], [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            found += [
                each for name, each in current.items() if name in ("$ref", "$dynamicRef") and isinstance(each, str)
            ]
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return found
