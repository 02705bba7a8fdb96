"""The product's pages behind django-tenants as its documentation has one begin: its backend and its middleware."""

from saas import settings as product
from saas.settings import *  # noqa: F403 - all of them but those below

DATABASES = {"default": product.DATABASES["default"] | {"ENGINE": "django_tenants.postgresql_backend"}}
MIDDLEWARE = [
    *("django_tenants.middleware.main.TenantMainMiddleware", "bench.launch.doors.TenantIsClinic"),
    *(name for name in product.MIDDLEWARE if name != "tenants.middleware.ClinicMiddleware"),
]
