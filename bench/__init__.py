"""Benchmarks that judge ratios: `python -m bench` (docs/benchmarks.md)."""
