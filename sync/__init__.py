"""The clinic's mirror of its Cliniko records."""
