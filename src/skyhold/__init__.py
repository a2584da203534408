"""skyhold keeps engineering work in object storage and runs it there."""
