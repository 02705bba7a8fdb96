"""The product's pages with django-tenants' own backend and middleware."""

from saas import settings as product
from saas.settings import *  # noqa: F403 - all of them but those below

DATABASES = {"default": product.DATABASES["default"] | {"ENGINE": "django_tenants.postgresql_backend"}}
MIDDLEWARE = [
    *("django_tenants.middleware.main.TenantMainMiddleware", "bench.launch.middleware.TenantIsClinic"),
    *(name for name in product.MIDDLEWARE if name != "tenants.middleware.ClinicMiddleware"),
]
