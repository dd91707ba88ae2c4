"""Which language model answers, how long it may take and what it may cost, read from the environment.

Wrong settings stop the process with one line that names the variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ImproperlyConfigured

from config.environment import http_address

OPENAI, RULES = "openai", "rules"
PROVIDERS = (OPENAI, RULES)
OPENAI_URL = "https://api.openai.com/v1"

# one answer with all its retries ends before a lease would, even if nobody beat for it
SHARE_OF_LEASE = 0.9
MOST_RETRIES = 10
LONGEST_NAME = 200  # of a model, as the account keeps it


@dataclass(frozen=True)
class DailyBudget:
    """What the calls of one local day may use up; None is no limit."""

    tokens: int | None = None
    money: Decimal | None = None
    currency: str = ""

    @property
    def is_limited(self) -> bool:
        return self.tokens is not None or self.money is not None


def provider_of(environment: Mapping[str, str]) -> str:
    """The provider named, else `openai` where a key or an address was given, else `rules`."""
    named = environment.get("LLM_PROVIDER", "").strip()
    if named and named not in PROVIDERS:
        raise ImproperlyConfigured(f"LLM_PROVIDER does not know {named!r}; it may be {' or '.join(PROVIDERS)}.")
    has_endpoint = environment.get("LLM_API_KEY") or environment.get("LLM_BASE_URL")
    provider = named or (OPENAI if has_endpoint else RULES)
    if provider == OPENAI and not has_endpoint:
        raise ImproperlyConfigured("LLM_PROVIDER=openai needs LLM_API_KEY, or LLM_BASE_URL of a server without keys.")
    if provider == OPENAI and not 1 <= len(environment.get("LLM_MODEL", "").strip()) <= LONGEST_NAME:
        raise ImproperlyConfigured("LLM_MODEL must name the model that LLM_BASE_URL serves.")
    return provider


def base_url_of(environment: Mapping[str, str]) -> str:
    """Where the endpoint is, up to but not including /chat/completions."""
    address = environment.get("LLM_BASE_URL", "").strip() or OPENAI_URL
    return http_address(address, var="LLM_BASE_URL", key_var="LLM_API_KEY", example="https://host/v1")


def daily_budget_of(environment: Mapping[str, str]) -> DailyBudget:
    """`2000000 tokens`, `5 USD`, or both with a comma between; empty is no limit."""
    wish = environment.get("LLM_DAILY_BUDGET", "").strip()
    tokens, money, currency = None, None, ""
    for part in filter(None, (each.strip() for each in wish.split(","))):
        found = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*(tokens|[A-Z]{3})", part)
        number = _number(found[1]) if found else None
        if found is None or number is None or (found[2] == "tokens" and number != int(number)):
            raise ImproperlyConfigured(
                f"LLM_DAILY_BUDGET must look like 2000000 tokens, 5 USD or both with a comma, not {wish!r}."
            )
        if found[2] == "tokens":
            tokens = int(number)
        else:
            money, currency = number, found[2]
    return DailyBudget(tokens, money, currency)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        return None


def retries_of(environment: Mapping[str, str]) -> int:
    """How often one request is repeated after a 429, a 5xx or a broken connection."""
    wish = environment.get("LLM_RETRIES", "").strip() or "2"
    if not (wish.isascii() and wish.isdecimal() and int(wish) <= MOST_RETRIES):
        raise ImproperlyConfigured(f"LLM_RETRIES must be a number from 0 to {MOST_RETRIES}, not {wish!r}.")
    return int(wish)


def seconds_in_all(wish: float | None, *, lease_seconds: float) -> float:
    """How long one answer may take with all its retries: always less than the lease of its run."""
    if wish is None:
        return SHARE_OF_LEASE * lease_seconds
    if wish >= lease_seconds:
        raise ImproperlyConfigured(
            f"LLM_TOTAL_SECONDS ({wish:g}) must be less than RUN_LEASE_SECONDS ({lease_seconds:g}): raise that one too."
        )
    return wish
