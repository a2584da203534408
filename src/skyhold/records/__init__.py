"""Rows from one place to another, validated, none lost."""
