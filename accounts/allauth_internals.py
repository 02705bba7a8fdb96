"""The parts of allauth that have no public API, in one place. Check them on every allauth upgrade.

- `get_ip`: the client's IP address behind the proxies that allauth is configured for (StaffAdapter).
- `unstash_login`: the user between password and second factor. allauth doesn't pass it to SecondFactorAdapter.
- `clear_login`: drop the sign-in that another tab left at its second factor (SignIn).
- `generate_totp_secret`, `validate_totp_code`, `TOTP`: set up an authenticator app whose secret waits in the form.
  allauth's own form puts it into the session, where tabs overwrite each other's.
- `RecoveryCodes`: create recovery codes together with the first factor.
- `WebAuthn`, `begin_registration`, `begin_authentication`: passkeys whose options come from POST endpoints of our own.

Private methods that we override or call: StaffAdapter's `_get_login_attempts_cache_key` and
`_delete_login_attempts_cached_email`, and `_redirect_to_pending_stage` of SignIn and PasskeySignIn.
"""

from allauth.account.internal.stagekit import clear_login, unstash_login
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from allauth.mfa.webauthn.internal.auth import WebAuthn, begin_authentication, begin_registration

__all__ = [
    "TOTP",
    "RecoveryCodes",
    "WebAuthn",
    "begin_authentication",
    "begin_registration",
    "clear_login",
    "generate_totp_secret",
    "get_ip",
    "unstash_login",
    "validate_totp_code",
]
