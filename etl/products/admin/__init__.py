"""Screens of product sync: doors that call services and say what happened."""

from etl.products.admin import products, rejects, runs, watermarks  # noqa: F401 - they register by import
