"""Where bytes are kept: the only importers of obstore."""
