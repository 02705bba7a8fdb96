"""The clinic's log: who did what, when; rows are only ever added, and chained."""
