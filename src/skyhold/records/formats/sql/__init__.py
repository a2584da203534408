"""Tables and queries of SQL databases."""
