"""The screens of every noun in this app."""

from etl.documents import admin as documents_admin  # noqa: F401 - registers by import
from etl.products import admin as products_admin  # noqa: F401 - registers by import
