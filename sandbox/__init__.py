"""A stand-in for Cliniko, and a demo of the whole product. Imports no production package."""
