"""Django's settings. Values that differ between installations come from saas.environment."""

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from kombu import Queue

from saas.environment import ROOT, read_environment
from saas.logs import logging_settings
from tenants.queues import LONG_QUEUE, SHORT_QUEUE

ENVIRONMENT = read_environment()

DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
BASE_DOMAIN = ENVIRONMENT.base_domain
PUBLIC_SCHEME = ENVIRONMENT.public_scheme
PUBLIC_PORT = ENVIRONMENT.public_port
HTTPS = PUBLIC_SCHEME == "https"

# A second check: tenants.middleware has already answered unknown hosts.
ALLOWED_HOSTS = [BASE_DOMAIN, f".{BASE_DOMAIN}"]

# --- Apps ------------------------------------------------------------------------------------------------------------
SHARED_APPS = [
    "django_tenants",
    "tenants",
    "ops",
    "audit",
    "accounts",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it overrides
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
]
TENANT_APPS = [
    "audit",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.admin.apps.SimpleAdminConfig",  # for its empty table, which deleting a user queries
    "accounts",
    "allauth.account",
    "allauth.mfa",
    "sync",
    "exports",
    "launch",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]

TENANT_MODEL = "tenants.Clinic"
TENANT_DOMAIN_MODEL = "tenants.Domain"
ROOT_URLCONF = "saas.urls_clinic"
PUBLIC_SCHEMA_URLCONF = "saas.urls_public"
WSGI_APPLICATION = "saas.wsgi.application"

MIDDLEWARE = [
    "saas.logs.RequestLogMiddleware",
    "launch.metrics.LaunchMetricsMiddleware",  # early, to measure all of a launch
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "accounts.middleware.PrivacyHeadersMiddleware",  # before ClinicMiddleware, whose errors need the headers too
    "csp.middleware.CSPMiddleware",
    "tenants.middleware.ClinicMiddleware",
    "launch.misdirected.MisdirectedLaunchMiddleware",  # before the redirect from http to https
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionClinicMiddleware",
    "accounts.middleware.SessionTimeoutMiddleware",
    "accounts.middleware.SignInRequiredMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "launch.access.AuditFailureMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "tenants.context_processors.clinic",
                "accounts.context_processors.current_session",
            ],
            "builtins": ["tenants.templatetags.dates"],
        },
    }
]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Data ------------------------------------------------------------------------------------------------------------
DATABASES = {
    "default": ENVIRONMENT.database
    | {
        "ENGINE": "tenants.backend",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Rate limits of sign-in and password resets are in the clinic's own schema, like everything else about its staff.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entry",
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
        "OPTIONS": {"MAX_ENTRIES": 20_000},  # beyond that Django deletes rows, and with them counts of failed sign-ins
    }
}

# --- Staff -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapter.StaffAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # staff join through a link in an email
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.reset_links.ResetTokenGenerator"  # noqa: S105 - a class
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
# "key" is email and IP address (accounts.adapter), so colleagues behind one IP address don't lock each other out.
# Wrong codes and passkeys count as failed sign-ins. The limits per IP address leave room for a clinic of 60 on Monday
# morning, when everyone signs in within minutes and mistypes three times.
ACCOUNT_RATE_LIMITS = {
    "login": "120/m/ip",
    "login_failed": "5/5m/key,40/1d/key,200/15m/ip",
    "reset_password": "5/10m/key,60/15m/ip",  # "key" is the email address, known or not
}
MFA_RATE_LIMITS = {"webauthn_login": "120/m/ip"}
MFA_ADAPTER = "accounts.second_factors.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds: phones' clocks are inexact
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if HTTPS else 0  # the TLS proxy appends the last X-Forwarded-For entry
PASSWORD_RESET_TIMEOUT = 60 * 60

# --- Browsers --------------------------------------------------------------------------------------------------------
# Browsers bind a __Host- cookie to one host, over https only, so http uses plain names.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would ask for a sign-in on every click in Cliniko
SESSION_COOKIE_AGE = 24 * 60 * 60  # a clinic's maximum; accounts.sessions enforces its own limits
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_USE_SESSIONS = True  # so a token is valid in its session's clinic only
CSRF_FAILURE_VIEW = "accounts.views.sign_in.csrf_failure"
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: [] for feature in "browsing-topics camera display-capture geolocation microphone payment usb".split()
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

EXPORT_DIRECTORY = ENVIRONMENT.export_directory

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
WHITENOISE_USE_FINDERS = BASE_DOMAIN == "localhost"  # no collectstatic in a fresh checkout
STATIC_ROOT = None if WHITENOISE_USE_FINDERS else ROOT / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Email -----------------------------------------------------------------------------------------------------------
EMAIL_BACKEND = ENVIRONMENT.email["EMAIL_BACKEND"]
EMAIL_HOST = ENVIRONMENT.email["EMAIL_HOST"]
EMAIL_PORT = ENVIRONMENT.email["EMAIL_PORT"]
EMAIL_HOST_USER = ENVIRONMENT.email["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = ENVIRONMENT.email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = ENVIRONMENT.email["EMAIL_USE_TLS"]
EMAIL_USE_SSL = ENVIRONMENT.email["EMAIL_USE_SSL"]
EMAIL_FILE_PATH = ENVIRONMENT.email["EMAIL_FILE_PATH"]
EMAIL_TIMEOUT = ENVIRONMENT.email["EMAIL_TIMEOUT"] or 10  # seconds: a mail server that hangs must not block a page
DEFAULT_FROM_EMAIL = ENVIRONMENT.default_from_email or f"Sidechart <no-reply@{BASE_DOMAIN}>"

# --- Language and time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-au"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- Cliniko ---------------------------------------------------------------------------------------------------------
SEALING_KEYS = ENVIRONMENT.sealing_key_list
CLINIKO_API_URL = ENVIRONMENT.cliniko_api_url
CLINIKO_WEB_URL = ENVIRONMENT.cliniko_web_url
CLINIKO_APP_NAME = ENVIRONMENT.cliniko_app_name
CLINIKO_USER_AGENT = f"{CLINIKO_APP_NAME} ({ENVIRONMENT.cliniko_contact_email})"
CLINIKO_REQUESTS_PER_MINUTE = ENVIRONMENT.cliniko_requests_per_minute
CLINIKO_REQUESTS_RESERVED = ENVIRONMENT.cliniko_requests_reserved
SYNC_INTERVAL_SECONDS = ENVIRONMENT.sync_interval_seconds
SYNC_TICK_SECONDS = min(2, SYNC_INTERVAL_SECONDS)  # how often due clinics are looked up
SYNC_SLICE_SECONDS = 20
SYNC_SLICE_PAGES = 40
SYNC_OVERLAP_SECONDS = 60

BACKUP_DIRECTORY = ENVIRONMENT.backup_directory or ENVIRONMENT.state_directory / "backups"
METRICS_TOKEN = ENVIRONMENT.metrics_token

# --- Celery ----------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = ENVIRONMENT.celery_broker_url
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True  # a dead worker's message is not redelivered: the next tick sends it again
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_QUEUES = [Queue(SHORT_QUEUE), Queue(LONG_QUEUE)]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(ENVIRONMENT.state_directory / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sync.tick": {
        "task": "sync.tick",
        "schedule": SYNC_TICK_SECONDS,
        "options": {"expires": SYNC_TICK_SECONDS},
    },
    "ops.measure": {"task": "ops.measure", "schedule": 300, "options": {"expires": 300}},
    # At night in Australia, at a fixed hour: an interval of 24 hours would restart with beat and might never end.
    "accounts.delete_expired": {"task": "accounts.delete_expired", "schedule": crontab(hour="16", minute="17")},
    "exports.clean_up": {"task": "exports.clean_up", "schedule": crontab(minute="*/5"), "options": {"expires": 240}},
    "audit.check": {"task": "audit.check", "schedule": crontab(hour="16", minute="57")},
    "launch.delete_expired_drafts": {
        "task": "launch.delete_expired_drafts",
        "schedule": crontab(hour="16", minute="27"),
    },
    "ops.remind_closing": {"task": "ops.remind_closing", "schedule": crontab(hour="*/6", minute="7")},
    "sync.delete_expired": {"task": "sync.delete_expired", "schedule": crontab(hour="16", minute="37")},
}

LOGGING = logging_settings(ENVIRONMENT.log_level)
LOGGING_CONFIG = "logging.config.dictConfig"
