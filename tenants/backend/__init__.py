"""django-tenants' PostgreSQL backend, without its redundant `SET search_path` statements."""
