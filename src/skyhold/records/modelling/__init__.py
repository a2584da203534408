"""Models from data: what rows look like, and the pydantic model that says so."""
