"""Articles in review, made in one statement each: for tests of briefs."""

from decimal import Decimal

from exports.models import Article, ManualReview


def article(article_id, *, status=None, **values):
    """An article with its review, whose own values are `status`, `rank` and what begins with `edited_`."""
    review = {
        name: values.pop(argument)
        for name, argument in (
            ("rank", "rank"),
            ("summary", "edited_summary"),
            ("manual_llm_source", "edited_source"),
            ("score", "edited_score"),
        )
        if argument in values
    }
    values = {
        "title": f"Title {article_id}", "summary": f"Summary {article_id}", "source": "Daily",
        "region": "internal", "sentiment": "positive", "score": Decimal(70),
    } | values  # fmt: skip
    made = Article.objects.create(article_id=article_id, **values)
    ManualReview.objects.create(article=made, status=status or "pending", **review)
    return made


def selected(article_id, **values):
    """An article an editor has picked."""
    return article(article_id, status="selected", **values)


def many(count, *, prefix="a", status="selected", bucket=("internal", "positive")):
    """`count` articles a-1 … with reviews."""
    region, sentiment = bucket
    made = Article.objects.bulk_create(
        Article(
            article_id=f"{prefix}-{n}", title=f"Title {prefix}-{n}", summary=f"Summary {prefix}-{n}", source="Daily",
            region=region, sentiment=sentiment, score=Decimal(60 + n % 40),
        )
        for n in range(1, count + 1)
    )  # fmt: skip
    ManualReview.objects.bulk_create(ManualReview(article=each, status=status) for each in made)
    return [each.article_id for each in made]


def statuses():
    """article id → status of every review."""
    return dict(ManualReview.objects.values_list("article_id", "status"))
