"""What ops do with clinics."""
