"""Export all of a clinic's data as one ZIP."""
