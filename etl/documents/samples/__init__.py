"""Invented documents for the sample workspace, in both languages, made when they are asked for."""

from etl.documents.samples.files import sample_files

__all__ = ["sample_files"]
