"""A design that did not do the work it is measured for must not be compared."""

from bench.scenarios import ProductSource


def check(design: str, kind: str, source: ProductSource, **counted: int) -> None:
    """Stop the bench when the counts are not those of the source."""
    expected = source.expected(kind)
    if counted != expected:
        raise AssertionError(f"{design}, {kind}: expected {expected}, counted {counted}")
