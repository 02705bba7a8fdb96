"""A stand-in world to run and test in: Cliniko, PostgreSQL, a broker and the demo. Imports none of the product."""
