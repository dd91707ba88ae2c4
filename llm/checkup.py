"""The doctor looks at the language model: which one, whether it lets us in, how much of the budget is left."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from config.language_model import RULES
from llm import budget, openai_endpoint
from watch.findings import Finding, Up, fine, problem


def examine(up: Up) -> Iterator[Finding]:
    """Provider, key, budget."""
    if settings.LLM_PROVIDER == RULES:
        yield fine("model", _("no language model is set up: texts are composed by rules, and say so"))
        return
    yield _endpoint()
    if up.database:
        yield _budget()


def _endpoint() -> Finding:
    status, reason = openai_endpoint.probe()
    facts = {
        "model": settings.LLM_MODEL,
        "host": openai_endpoint.host_of(settings.LLM_BASE_URL),
        "reason": reason.partition("\n")[0],
        "status": status,
    }
    mend = _("Mend LLM_BASE_URL, LLM_API_KEY and LLM_MODEL (docs/operations.md, “A language model”).")
    if status is None:
        return problem("model", _("The model's server %(host)s cannot be reached: %(reason)s") % facts, mend)
    if status in (401, 403):
        return problem("model", _("The model's server %(host)s refuses the key: %(reason)s") % facts, mend)
    if status >= 500:
        return problem("model", _("The model's server %(host)s answers %(status)s: %(reason)s") % facts, mend)
    return fine("model", _("%(model)s is asked at %(host)s") % facts)  # a server without a list of models answers 404


def _budget() -> Finding:
    now = budget.today()
    facts = {"used": budget.spent_text(now), "currency": now.budget.currency, "model": settings.LLM_MODEL}
    mend = _("Raise LLM_DAILY_BUDGET, or wait for tomorrow.")
    if not now.budget.is_limited:
        return fine("budget", _("no daily budget of the language model is set (LLM_DAILY_BUDGET)"))
    if now.budget.money is not None and not budget.has_price(settings.LLM_MODEL):
        text = _("The daily budget cannot be kept: %(model)s has no price in %(currency)s, so nothing is asked.")
        return problem("budget", text % facts, _("Tell its price in the admin, under Model prices."))
    if now.is_spent:
        return problem("budget", _("The daily budget of the language model is used up: %(used)s") % facts, mend)
    if now.is_near:
        return problem("budget", _("The daily budget of the language model is nearly used up: %(used)s") % facts, mend)
    if now.budget.tokens is not None and now.used.untold:
        text = _("The model's server told no tokens for %(count)s of today's answers: the budget cannot see them.")
        return problem("budget", text % {"count": now.used.untold}, _("Set a limit at the provider as well."))
    return fine("budget", _("used of today's budget of the language model: %(used)s") % facts)
