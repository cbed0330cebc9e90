"""The settings of production. The tests use them as they are."""

from pathlib import Path

BASE_DIR = Path(__file__).parent.parent

SECRET_KEY = "an example has no secrets"  # noqa: S105
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["django_q", "visits"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "clinic.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

Q_CLUSTER = {"name": "clinic", "orm": "default", "timeout": 60, "retry": 120, "max_attempts": 3}
