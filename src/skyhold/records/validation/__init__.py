"""Rows of text against a pydantic model: pydantic's verdict at columnar speed."""

from skyhold.records.validation.outcome import FieldError, FieldRoute, Outcome, Reject
from skyhold.records.validation.plan import ValidationPlan

__all__ = ["FieldError", "FieldRoute", "Outcome", "Reject", "ValidationPlan"]
