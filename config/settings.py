"""Every setting, read top to bottom; what differs per machine comes from the environment (.env.example)."""

import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import language_model, mineru, staging
from config.environment import Environment
from config.logs import configure_logs
from config.roles import ROLES, as_startup_options, role_of_process, session_settings

BASE_DIR = Path(__file__).resolve().parent.parent


env = Environment()
Environment.read_env(BASE_DIR / ".env")

# --- Servers -------------------------------------------------------------------------------------
# Neither server named and DEBUG not refused: private servers below var/. Otherwise the environment
# must name everything, because a half-configured production must not start on invented values.

VAR_DIR = Path(env.str("PRESSROOM_VAR", default=str(BASE_DIR / "var")))
_servers_named = bool(env.str("DATABASE_URL", default="") or env.str("REDIS_URL", default=""))
DEBUG = env.bool("DEBUG", default=not _servers_named)

if DEBUG:
    from config import embedded

    embedded.provide(VAR_DIR)

_missing = [name for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY") if not os.environ.get(name)]
if _missing:
    raise ImproperlyConfigured(
        f"{', '.join(_missing)} must be set when DEBUG is off. "
        "For a private PostgreSQL and Redis unset DATABASE_URL and REDIS_URL, or set DEBUG=1."
    )

SECRET_KEY = env.str("SECRET_KEY")
REDIS_URL = env.str("REDIS_URL")

try:
    if urlsplit(os.environ["DATABASE_URL"]).scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database (postgresql://…).")
    DATABASES = {"default": env.db_url("DATABASE_URL")}
except ValueError as error:
    raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from error
RUN_LEASE_SECONDS = env.seconds("RUN_LEASE_SECONDS", default=90)

DATABASES["default"] |= {
    # a socket path arrives percent-encoded and django-environ leaves it so
    "HOST": unquote(DATABASES["default"]["HOST"]),
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {"connect_timeout": 5, **DATABASES["default"].get("OPTIONS", {})},  # also what DATABASE_URL asks for
}
# How long a session may wait and work, by what this process is (config/roles.py). Behind pgbouncer, which
# refuses such start-up options, 0 leaves them to the roles in PostgreSQL (docs/operations.md).
PROCESS_ROLE = env.one_of("PRESSROOM_ROLE", default=role_of_process(sys.argv), known=ROLES)
DB_SESSION_SETTINGS = session_settings(PROCESS_ROLE, lease_seconds=RUN_LEASE_SECONDS)
if env.bool("DB_SESSION_OPTIONS", default=True):
    DATABASES["default"]["OPTIONS"]["options"] = " ".join(
        filter(None, [DATABASES["default"]["OPTIONS"].get("options"), as_startup_options(DB_SESSION_SETTINGS)])
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Applications --------------------------------------------------------------------------------

INSTALLED_APPS = [
    "desk.apps.DeskAdminConfig",  # django.contrib.admin with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "pgtrigger",
    "csp",
    "axes",
    "desk.apps.DeskConfig",
    "api",
    "access",
    "watch",
    "runs",
    "etl",
    "exports",
    "distillations",
    "roadmaps",
    "llm",  # last, since the home page shows the apps in this order
]

MIDDLEWARE = [
    "access.middleware.RequestIdMiddleware",
    "access.middleware.SecurityHeaders",
    "watch.middleware.CountRequests",
    "api.middleware.StorableCookies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "watch.middleware.AnswerRefusals",
    "axes.middleware.AxesMiddleware",  # last: it turns the answer to a locked-out sign-in into a refusal
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],  # before the apps, so that ours override third-party ones
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Language and time ---------------------------------------------------------------------------

LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LANGUAGE_CODE = env.one_of("LANGUAGE_CODE", default="en", known=dict(LANGUAGES))
LOCALE_PATHS = [BASE_DIR / "locale"]
# report dates are local dates
TIME_ZONE = env.one_of("TIME_ZONE", default="Asia/Shanghai", known=available_timezones())
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]

# --- Files ---------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = None if DEBUG else BASE_DIR / "staticfiles"  # with DEBUG, files come from where they lie
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Cache and Celery ----------------------------------------------------------------------------

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("CACHE_URL", default=REDIS_URL),
        "KEY_PREFIX": "pressroom",
        # a Redis that hangs must not hold up a read, which can do without
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# Celery spells a socket redis+socket://, redis-py spells it unix://
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
_visibility_timeout = 7200  # longer than the hard limit, or Redis hands a running task out again
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": _visibility_timeout,
    # the default throttle looks at unacknowledged messages only every 100 s
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # a broker that is down must not hold up a request: the reaper tries again, kombu need not (2 s + 4 s)
    "max_retries": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
CELERY_VISIBILITY_TIMEOUT = _visibility_timeout
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker however long it is away
CELERY_TASK_IGNORE_RESULT = True  # the run's row is the record
CELERY_RESULT_EXPIRES = None  # nothing to expire, so beat needs no cleaning task
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # it loops without a cap; the reaper recovers with one
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 900
CELERY_TASK_TIME_LIMIT = 960
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
# One more try, for a pooled connection that the broker closed; the reaper rings for what fails. Without
# any retry kombu falls back to its connection defaults and a request waits 6 s for a broker that is down.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

# --- Runs (docs/architecture.md, "Runs") ---------------------------------------------------------

# RUN_LEASE_SECONDS stands with the database, whose idle timeout follows it
REAPER_SECONDS = env.seconds("REAPER_SECONDS", default=15)
DB_RETRY_ATTEMPTS = env.int("DB_RETRY_ATTEMPTS", default=3)

# --- Metrics (docs/operations.md, "Metrics") ------------------------------------------------------

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # for a scraper without a user of its own
# how long a process keeps its counts to itself; 0 for ever
METRICS_FLUSH_SECONDS = env.float("METRICS_FLUSH_SECONDS", default=10)

# --- Product sync --------------------------------------------------------------------------------

ETL_MAX_ROW_BYTES = env.int("ETL_MAX_ROW_BYTES", default=1_000_000)
# another database with the staging table; None: it is in our own. No entry of DATABASES, so nothing of Django
# can migrate or write it.
STAGING = staging.from_environment(
    os.environ, time_zone=TIME_ZONE, seconds=env.seconds("STAGING_TIMEOUT_SECONDS", default=120)
)

# --- Documents -----------------------------------------------------------------------------------

# where uploaded files and what was read from them lie, by the id of their task
DOCUMENTS_DIR = Path(env.str("DOCUMENTS_DIR", default=str(VAR_DIR / "documents")))
ETL_PARSER = env.one_of("ETL_PARSER", default="local", known=("local", "mineru"))
ETL_TASK_TIMEOUT = env.seconds("ETL_TASK_TIMEOUT", default=600)
ETL_MAX_PENDING = env.int("ETL_MAX_PENDING", default=1000)  # beyond it a new task is refused before a row is made
ETL_MAX_BYTES = env.int("ETL_MAX_BYTES", default=100_000_000)
ETL_MAX_PAGES = env.int("ETL_MAX_PAGES", default=1000)
ETL_MAX_ROWS = env.int("ETL_MAX_ROWS", default=50_000)  # of a sheet
ETL_MAX_ENTRIES = env.int("ETL_MAX_ENTRIES", default=1000)  # of an archive, which office files are
ETL_MAX_RATIO = env.int("ETL_MAX_RATIO", default=100)  # unpacked to packed
ETL_MAX_TABLE_BYTES = env.int("ETL_MAX_TABLE_BYTES", default=20_000_000)  # of JSON, as text
ETL_PARSER_MEMORY_BYTES = env.int("ETL_PARSER_MEMORY_BYTES", default=1_500_000_000)
ETL_PARSER_CPU_SECONDS = env.seconds("ETL_PARSER_CPU_SECONDS", default=120)

# a MinerU server, asked when ETL_PARSER=mineru (docs/operations.md, "Documents read by MinerU")
ETL_MINERU_URL = mineru.url_of(os.environ, parser=ETL_PARSER)
ETL_MINERU_TOKEN = mineru.token_of(os.environ, parser=ETL_PARSER)
ETL_MINERU_CONTRACT = mineru.contract_of(os.environ)
ETL_MINERU_DOWNLOAD_HOSTS = mineru.file_hosts_of(os.environ)
ETL_MINERU_POLL_SECONDS = env.seconds("ETL_MINERU_POLL_SECONDS", default=5)  # the longest pause between two looks
ETL_MINERU_CONNECT_SECONDS = env.seconds("ETL_MINERU_CONNECT_SECONDS", default=5)
ETL_MINERU_READ_SECONDS = env.seconds("ETL_MINERU_READ_SECONDS", default=60)  # of silence, not in all
ETL_MINERU_LANGUAGE = env.str("ETL_MINERU_LANGUAGE", default="ch").strip()  # what 3.x and mineru.net recognise
# pipeline, vlm-engine … of 3.x; pipeline or vlm of mineru.net; empty: what the server takes by itself
ETL_MINERU_BACKEND = env.str("ETL_MINERU_BACKEND", default="").strip()
ETL_MINERU_TIER = env.one_of("ETL_MINERU_TIER", default="", known=mineru.TIERS)  # of 4.0; empty: the server's own
ETL_MINERU_OCR = env.one_of("ETL_MINERU_OCR", default="auto", known=mineru.OCR_MODES)

# --- Exports -------------------------------------------------------------------------------------

# where files of briefs go; a name given for one may not lead out of it
EXPORTS_DIR = Path(env.str("EXPORTS_DIR", default=str(VAR_DIR / "exports")))
# the way back to the time before briefs made by hand had tables of their own: brief
EXPORTS_MANUAL_STORE = env.one_of("EXPORTS_MANUAL_STORE", default="manual", known=("manual", "brief"))

# --- Language model (docs/operations.md, "A language model") ---------------------------------------

# rules: no model at all, the honest composer of llm/rules/; openai: whatever speaks chat completions
LLM_PROVIDER = language_model.provider_of(os.environ)
LLM_BASE_URL = language_model.base_url_of(os.environ)
LLM_API_KEY = env.str("LLM_API_KEY", default="").strip()
LLM_MODEL = env.str("LLM_MODEL", default="").strip()
LLM_CONNECT_SECONDS = env.seconds("LLM_CONNECT_SECONDS", default=5)
LLM_TOTAL_SECONDS = language_model.seconds_in_all(
    env.seconds("LLM_TOTAL_SECONDS", default=0) if os.environ.get("LLM_TOTAL_SECONDS") else None,
    lease_seconds=RUN_LEASE_SECONDS,
)
LLM_RETRIES = language_model.retries_of(os.environ)  # of one request; a run that waits tries again beyond these
LLM_DAILY_BUDGET = language_model.daily_budget_of(os.environ)

# --- Roadmaps --------------------------------------------------------------------------------------

ROADMAPS_SIDE_BY_SIDE = env.int("ROADMAPS_SIDE_BY_SIDE", default=4)  # contents of concepts that one task asks for

# --- API -----------------------------------------------------------------------------------------

# how many proxies in front add to X-Forwarded-For; what comes from further away may be forged
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
NUM_PROXIES = env.int("NUM_PROXIES", default=int(BEHIND_PROXY))

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access.permissions.DeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.EnvelopePagination",
    "DEFAULT_FILTER_BACKENDS": ["api.filters.FilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS would describe views to whom they are closed
    "EXCEPTION_HANDLER": "api.problems.handle",
    "NUM_PROXIES": NUM_PROXIES,
    "DEFAULT_THROTTLE_RATES": {
        "user": env.rate("THROTTLE_USER", default="1200/min"),
        "anonymous": env.rate("THROTTLE_ANONYMOUS", default="60/min"),
        "login": env.rate("THROTTLE_LOGIN", default="20/min"),
        "model-work": env.rate("THROTTLE_MODEL_WORK", default="60/min"),
        "reset-all": env.rate("THROTTLE_RESET_ALL", default="3/h"),
    },
    "COERCE_DECIMAL_TO_STRING": False,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is an unknown parameter like any other
}

# how long an answer can be asked for again with the same Idempotency-Key
IDEMPOTENCY_KEY_HOURS = env.int("IDEMPOTENCY_KEY_HOURS", default=24)

SPECTACULAR_SETTINGS = {
    "TITLE": "Pressroom API",
    "DESCRIPTION": "Content operations: product sync, documents, briefs, distillations, roadmaps.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "runs.choices.RunStatus",
        "TaskStatusEnum": "distillations.choices.TaskStatus",
        "SlotStatusEnum": "distillations.choices.SlotStatus",
        "ReviewStatusEnum": "exports.choices.ReviewStatus",
        "RegionEnum": "exports.choices.Region",
        "SentimentEnum": "exports.choices.Sentiment",
        "ExportSourceEnum": "exports.choices.Source",
        "NotPrintedEnum": "exports.choices.NotPrinted",
        "DocumentStatusEnum": "etl.documents.choices.DocumentStatus",
        "DocumentStageEnum": "etl.documents.choices.Stage",
        "RuleModeEnum": "etl.documents.choices.RuleMode",
        "DocumentsHealthEnum": "etl.documents.choices.WorkshopStatus",
        "RoadmapTaskStatusEnum": "roadmaps.choices.TaskStatus",
        "ContentStatusEnum": "roadmaps.choices.ContentStatus",
        "RoadmapStepEnum": "roadmaps.choices.StepName",
        "RetryStrategyEnum": "roadmaps.choices.Strategy",
        "StepOutcomeEnum": "runs.choices.StepOutcome",
    },
    "PREPROCESSING_HOOKS": ["api.schema.only_versioned"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.with_problems",
        "api.schema.with_filled_parameters",
    ],
}

# --- Security ------------------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=not DEBUG)  # off only for a try-out on plain http
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes speak plain http to the process
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
# Lockout (access/lockout.py). Kept in the database, so that it works with the cache down and outlives it.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: who is locked out is not even asked for the password
    "django.contrib.auth.backends.ModelBackend",
]
LOCKOUT_FAILURES = env.int("LOCKOUT_FAILURES", default=5)  # of one user from one address
LOCKOUT_FAILURES_OF_USER = env.int("LOCKOUT_FAILURES_OF_USER", default=50)  # of one user from everywhere
AXES_HANDLER = "access.lockout.Lockout"
AXES_FAILURE_LIMIT = LOCKOUT_FAILURES
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_COOLOFF_TIME = timedelta(seconds=env.seconds("LOCKOUT_SECONDS", default=900))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or an attacker could keep the owner out for ever
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are in our own audit log
AXES_ENABLE_ADMIN = False  # access/admin.py has a screen of our own
AXES_USERNAME_CALLABLE = "access.lockout.name_of"
AXES_CLIENT_IP_CALLABLE = "access.lockout.address_of"
AXES_LOCKOUT_CALLABLE = "access.lockout.refuse"
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
CSRF_FAILURE_VIEW = "api.fallbacks.csrf_failure"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# --- Logs ----------------------------------------------------------------------------------------

LOGGING = configure_logs(level=env.one_of("LOG_LEVEL", default="INFO", known=logging.getLevelNamesMapping()))
