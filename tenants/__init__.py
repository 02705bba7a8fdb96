"""Find the clinic of a request or task and enter its schema."""
