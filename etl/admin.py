"""The screens of every noun in this app."""

from etl.products import admin as products_admin  # noqa: F401 - registers by import
