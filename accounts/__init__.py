"""A clinic's users: roles, invitations, sign-in, second factors and sessions. In public: Sidechart's operators."""
