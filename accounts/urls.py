"""The addresses of sign-in, passwords, invitations and staff. allauth's names begin with `account_` or `mfa_`."""

from allauth.account.views import account_inactive, password_reset_from_key_done
from django.urls import path, re_path

from accounts import confirmation, factor_views, security_views, session_views, staff_views, step_views, views

# Of staff at their clinic, and of ops on the base host.
own_sign_in = [
    path("login", views.SignIn.as_view(), name="account_login"),
    path("login/second-step", step_views.second_step, name="mfa_authenticate"),
    path("login/second-step/passkey", step_views.ask_for_passkey_of_step, name="passkey_of_step"),
    path("login/passkey", step_views.PasskeySignIn.as_view(), name="mfa_login_webauthn"),
    path("login/passkey/ask", step_views.ask_for_any_passkey, name="passkey_of_sign_in"),
    path("logout", views.SignOut.as_view(), name="account_logout"),
    path("inactive/", account_inactive, name="account_inactive"),
    path("password/change/", views.ChangePassword.as_view(), name="account_change_password"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        views.ChooseNewPassword.as_view(),
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", password_reset_from_key_done, name="account_reset_password_from_key_done"),
    path("invite/<str:token>/", staff_views.invitation, name="invitation"),
    path("account/", factor_views.own_sign_in, name="mfa_index"),
    path("account/confirm", confirmation.confirm, name="confirm"),
    path("account/confirm/passkey", confirmation.ask_for_passkey, name="passkey_of_confirm"),
    path("account/passkeys/add", factor_views.add_passkey, name="passkey_add"),
    path("account/passkeys/ask", factor_views.ask_for_new_passkey, name="passkey_of_add"),
    path("account/passkeys/<int:passkey_id>/rename", factor_views.rename_passkey, name="passkey_rename"),
    path("account/passkeys/<int:passkey_id>/remove", factor_views.remove_passkey, name="passkey_remove"),
    path("account/app", factor_views.set_up_app, name="app"),
    path("account/app/remove", factor_views.remove_app, name="app_remove"),
    path("account/recovery-codes", factor_views.recovery_codes, name="recovery_codes"),
    path("account/recovery-codes/new", factor_views.new_recovery_codes, name="recovery_codes_new"),
    path("account/sessions/<int:session_id>/end", session_views.end, name="session_end"),
    path("account/sessions/end-others", session_views.end_others, name="session_end_others"),
    path("session", session_views.session, name="session"),
]

urlpatterns = [
    *own_sign_in,
    path("password/reset/", views.AskForReset.as_view(), name="account_reset_password"),
    path("password/reset/done/", views.ResetAsked.as_view(), name="account_reset_password_done"),
    path("settings/security", security_views.security, name="security"),
    path("settings/security/people/<int:user_id>/end-sessions", security_views.end_sessions, name="security_end"),
    path("settings/security/people/<int:user_id>/reset", security_views.reset_second_factor, name="security_reset"),
    path("settings/staff/", staff_views.page, name="staff"),
    path("settings/staff/<int:user_id>/role", staff_views.change_role, name="staff_role"),
    path("settings/staff/<int:user_id>/suspend", staff_views.suspend, name="staff_suspend"),
    path("settings/staff/<int:user_id>/reinstate", staff_views.reinstate, name="staff_reinstate"),
    path("settings/staff/invite", staff_views.invite, name="staff_invite"),
    path("settings/staff/invitations/<int:invitation_id>/resend", staff_views.resend, name="staff_resend"),
    path("settings/staff/invitations/<int:invitation_id>/revoke", staff_views.revoke, name="staff_revoke"),
]
