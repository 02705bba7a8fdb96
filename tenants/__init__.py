"""Which clinic is this: clinics, their subdomains, and the two doors into their schemas."""
