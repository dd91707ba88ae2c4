"""What this room tells /metrics beside the counters of calls and tokens."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from llm import budget
from llm.models import LLMCall


def collect() -> Iterator[Metric]:
    """What today's calls used up, how near the budget is, calls that never ended."""
    today = budget.today()
    tokens = GaugeMetricFamily("pressroom_llm_tokens_today", "Tokens of the local day, as told by the server.", None)
    tokens.add_metric([], today.used.tokens)
    yield tokens
    share = GaugeMetricFamily("pressroom_llm_budget_used_ratio", "Used of the daily budget; 0 without one.", None)
    share.add_metric([], today.share)
    yield share
    lost = GaugeMetricFamily("pressroom_llm_calls_lost", "Calls whose process died before an answer.", None)
    lost.add_metric([], LLMCall.objects.lost().count())
    yield lost
