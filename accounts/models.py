"""Users, invitations, the sign-in policy and sessions of a clinic. In public: those of Sidechart's operators."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_tenants.utils import get_public_schema_name

from accounts.roles import Role
from tenants.database import connection


def clean_email(email: str) -> str:
    """Return the spelling in which email addresses are stored and compared."""
    return email.strip().lower()


def schema_name() -> str:
    """Return the current schema: a clinic's, or public."""
    return str(connection.schema_name)


def in_public() -> bool:
    """Return True in the public schema, whose users are Sidechart operators."""
    return schema_name() == str(get_public_schema_name())


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user. Without a password they can sign in only after a reset."""
        user = self.model(email=clean_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=clean_email(username or ""))


class User(AbstractBaseUser):
    """A member of staff. Someone who works at two clinics is a user in each clinic's schema.

    Users in public are operators; their role has no effect.
    """

    email = models.EmailField("email address", max_length=254, unique=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=Role, default=Role.READONLY)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = clean_email(self.email)
        super().save(*args, **kwargs)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django calls this for SECRET_KEY and its fallbacks. With the schema in it, a session is useless at another
        # clinic, even with the same id, password hash and session row.
        salt = "accounts.User.session"
        value = f"{schema_name()}|{self.pk}|{self.password}"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()


class Invitation(models.Model):
    """A link that lets one person choose a password and join the staff. Only the token's digest is stored."""

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role)
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="invitations")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_pending_invitation_for_each_email",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.get_role_display()}"


class SecurityPolicy(models.Model):
    """The clinic's sign-in rules. One row; without it the defaults apply."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    require_second_factor_from = models.DateField(null=True, blank=True)
    idle_minutes = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(5), MaxValueValidator(60)]
    )
    absolute_hours = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(24)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_security_policy"),
            models.CheckConstraint(condition=Q(idle_minutes__range=(5, 60)), name="idle_minutes_5_to_60"),
            models.CheckConstraint(condition=Q(absolute_hours__range=(1, 24)), name="absolute_hours_1_to_24"),
        ]

    def __str__(self) -> str:
        return f"{self.idle_minutes} minutes idle, {self.absolute_hours} hours in total"


class OpenSession(models.Model):
    """A sign-in that hasn't ended. Deleting the row ends it, so one query can end many.

    The Django session refers to this row. The other way round, `cycle_key` would break the link.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="open_sessions")
    browser = models.CharField(max_length=60)
    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    seen_at = models.DateTimeField(
        default=timezone.now, help_text="The user's last action; background requests don't count."
    )

    def __str__(self) -> str:
        return f"{self.browser} since {self.started_at:%d %b %H:%M}"


class UsedTicket(models.Model):
    """A redeemed return ticket and the only session that may redeem it again."""

    digest = models.CharField(max_length=64, unique=True)
    session_digest = models.CharField(max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.digest[:8]}"


class CacheEntry(models.Model):
    """A row of Django's DatabaseCache. A migration creates its table in each schema, in place of `createcachetable`."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache_entry"

    def __str__(self) -> str:
        return self.cache_key
