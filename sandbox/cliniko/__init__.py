"""A stand-in Cliniko: its API and its clickable pages over one SQLite file, full of invented people."""
