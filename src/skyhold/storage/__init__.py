"""Named bytes, wherever they are."""
