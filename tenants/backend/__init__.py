"""PostgreSQL backend: django-tenants', which asks the server before it sets the search path again."""
