"""URLs for sign-in, passwords, invitations and staff. allauth looks up the names that begin with account_ or mfa_."""

from allauth.account.views import AccountInactiveView, PasswordResetFromKeyDoneView
from django.urls import path, re_path

from accounts import reauthentication
from accounts.views import policy, second_factor_sign_in, second_factors, sessions, sign_in, staff

# For staff at their clinic and for operators on the base host.
sign_in_urls = [
    path("login", sign_in.SignIn.as_view(), name="account_login"),
    path("login/second-step", second_factor_sign_in.verify_second_factor, name="mfa_authenticate"),
    path("login/second-step/passkey", second_factor_sign_in.second_factor_passkey_options, name="passkey_of_step"),
    path("login/passkey", second_factor_sign_in.PasskeySignIn.as_view(), name="mfa_login_webauthn"),
    path("login/passkey/ask", second_factor_sign_in.sign_in_passkey_options, name="passkey_of_sign_in"),
    path("logout", sign_in.SignOut.as_view(), name="account_logout"),
    path("inactive/", AccountInactiveView.as_view(template_name="accounts/suspended.html"), name="account_inactive"),
    path("password/change/", sign_in.ChangePassword.as_view(), name="account_change_password"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        sign_in.ResetPassword.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        PasswordResetFromKeyDoneView.as_view(template_name="accounts/password_reset_done.html"),
        name="account_reset_password_from_key_done",
    ),
    path("invite/<str:token>/", staff.invitation, name="invitation"),
    path("account/", second_factors.sign_in_settings, name="mfa_index"),
    path("account/confirm", reauthentication.confirm, name="confirm"),
    path("account/confirm/passkey", reauthentication.passkey_options, name="passkey_of_confirm"),
    path("account/passkeys/add", second_factors.add_passkey, name="passkey_add"),
    path("account/passkeys/ask", second_factors.new_passkey_options, name="passkey_of_add"),
    path("account/passkeys/<int:passkey_id>/rename", second_factors.rename_passkey, name="passkey_rename"),
    path("account/passkeys/<int:passkey_id>/remove", second_factors.remove_passkey, name="passkey_remove"),
    path("account/app", second_factors.set_up_app, name="app"),
    path("account/app/remove", second_factors.remove_app, name="app_remove"),
    path("account/recovery-codes", second_factors.recovery_codes, name="recovery_codes"),
    path("account/recovery-codes/new", second_factors.new_recovery_codes, name="recovery_codes_new"),
    path("account/sessions/<int:session_id>/end", sessions.end, name="session_end"),
    path("account/sessions/end-others", sessions.end_others, name="session_end_others"),
    path("session", sessions.session, name="session"),
]

urlpatterns = [
    *sign_in_urls,
    path("password/reset/", sign_in.RequestPasswordReset.as_view(), name="account_reset_password"),
    path("password/reset/done/", sign_in.PasswordResetRequested.as_view(), name="account_reset_password_done"),
    path("settings/security", policy.security, name="security"),
    path("settings/security/people/<int:user_id>/end-sessions", policy.end_sessions, name="security_end"),
    path("settings/security/people/<int:user_id>/reset", policy.reset_second_factor, name="security_reset"),
    path("settings/staff/", staff.page, name="staff"),
    path("settings/staff/<int:user_id>/role", staff.change_role, name="staff_role"),
    path("settings/staff/<int:user_id>/suspend", staff.suspend, name="staff_suspend"),
    path("settings/staff/<int:user_id>/reinstate", staff.reinstate, name="staff_reinstate"),
    path("settings/staff/invite", staff.invite, name="staff_invite"),
    path("settings/staff/invitations/<int:invitation_id>/resend", staff.resend, name="staff_resend"),
    path("settings/staff/invitations/<int:invitation_id>/revoke", staff.revoke, name="staff_revoke"),
]
