"""Who is this: a clinic's staff, their roles, invitations, sign-in and sessions."""
