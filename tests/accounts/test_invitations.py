"""Creating, sending and accepting invitations."""

from datetime import timedelta
from functools import partial

import pytest
from django.core import mail
from django.utils import timezone

from accounts import emails, invitations
from accounts.models import Invitation, User
from tenants.context import clinic_context
from tenants.dates import as_datetime

EMAIL = "sam@clinic.example"
ANSWERS = {"name": "Sam Okafor", "password1": "a longer horse 43", "password2": "a longer horse 43"}


def invite(label: str, email: str = EMAIL, role: str = "clinician") -> str:
    """Invite someone and return the path of the link."""
    with clinic_context(label):
        _, url = invitations.invite(email, role)
    host = f"http://{label}.localhost:8000"
    assert url.startswith(f"{host}/invite/")
    return url.removeprefix(host)


def html_of(message: mail.EmailMessage) -> str:
    assert isinstance(message, mail.EmailMultiAlternatives)
    return str(message.alternatives[0][0])


def test_an_invited_person_chooses_a_password_and_is_signed_in(clinic_client):
    browser = clinic_client("bondi")
    path = invite("bondi", f" {EMAIL.upper()} ")
    page = browser.get(path).content.decode()
    assert "Bondi Physio" in page
    assert EMAIL in page
    assert "Clinician" in page
    assert browser.post(path, ANSWERS)["Location"] == "/"
    assert browser.get("/patients/42/").status_code == 200
    with clinic_context("bondi"):
        user = User.objects.get()
        assert (user.email, user.name, user.role) == (EMAIL, "Sam Okafor", "clinician")
        assert user.check_password(ANSWERS["password1"])


def test_accepting_ignores_next(clinic_client):
    path = invite("bondi")
    assert clinic_client("bondi").post(f"{path}?next=//evil.example", ANSWERS | {"next": "//e"})["Location"] == "/"


def test_accepting_follows_the_return_ticket(clinic_client):
    browser = clinic_client("bondi")
    ticket = browser.get("/patients/42/")["Location"].partition("t=")[2]
    assert browser.post(invite("bondi"), ANSWERS | {"t": ticket})["Location"] == "/patients/42/"


def test_only_the_tokens_digest_is_stored(bondi):
    token = invite("bondi").split("/")[2]
    with clinic_context("bondi"):
        assert token not in str(Invitation.objects.values_list().get())


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, 410),
        ({"revoked_at": timezone.now()}, 410),
        ({"accepted_at": timezone.now()}, 410),
        ({"token_digest": "0" * 64}, 404),
    ],
)
def test_a_link_that_no_longer_works_says_so_and_creates_no_user(clinic_client, change, status):
    path = invite("bondi")
    with clinic_context("bondi"):
        Invitation.objects.update(**change)
    for answer in (clinic_client("bondi").get(path), clinic_client("bondi").post(path, ANSWERS)):
        assert answer.status_code == status
        assert "This invitation doesn't work" in answer.content.decode()
    with clinic_context("bondi"):
        assert not User.objects.exists()


def test_a_link_is_unknown_at_another_clinic_and_still_works_at_its_own(clinic_client):
    path = invite("bondi")
    assert clinic_client("harbour").post(path, ANSWERS).status_code == 404
    assert clinic_client("bondi").post(path, ANSWERS).status_code == 302


def test_inviting_again_replaces_the_earlier_link(clinic_client):
    first, second = invite("bondi"), invite("bondi", EMAIL.title(), "owner")
    assert clinic_client("bondi").get(first).status_code == 410
    assert "Owner" in clinic_client("bondi").get(second).content.decode()


def test_someone_with_an_account_cannot_be_invited(staff_member):
    email = staff_member("bondi").email
    with (
        clinic_context("bondi"),
        pytest.raises(invitations.AlreadyStaff, match="already has an account at this clinic"),
    ):
        invitations.invite(email.upper(), "owner")


def test_an_account_created_meanwhile_keeps_its_password(clinic_client, staff_member):
    path = invite("bondi")
    staff_member("bondi", email=EMAIL)
    assert clinic_client("bondi").post(path, ANSWERS).status_code == 410
    with clinic_context("bondi"):
        assert not User.objects.get().check_password(ANSWERS["password1"])


@pytest.mark.parametrize(
    "answers",
    [
        ANSWERS | {"password2": "another"},
        ANSWERS | {"password1": "short", "password2": "short"},
        ANSWERS | {"password1": EMAIL, "password2": EMAIL},
        ANSWERS | {"name": " "},
        {},
    ],
)
def test_invalid_input_is_explained_and_the_link_still_works(clinic_client, answers):
    path = invite("bondi")
    answer = clinic_client("bondi").post(path, answers)
    assert answer.status_code == 200
    assert clinic_client("bondi").post(path, ANSWERS).status_code == 302


def test_of_four_concurrent_tabs_one_creates_the_account(run_concurrently):
    email = "four.tabs@clinic.example"
    [(_, url)] = run_concurrently(lambda: invitations.invite(email, "clinician"))
    try:
        tab = partial(invitations.accept, url.split("/")[4], "Sam Okafor", ANSWERS["password1"])
        results = run_concurrently(tab, tab, tab, tab)
        assert sorted(type(result).__name__ for result in results) == ["InvitationClosed"] * 3 + ["User"]
    finally:
        run_concurrently(User.objects.filter(email=email).delete)
        run_concurrently(Invitation.objects.filter(email=email).delete)


def test_of_four_concurrent_invitations_one_is_pending(run_concurrently):
    email = "at.once@clinic.example"
    invite_again = partial(invitations.invite, email, "clinician")
    try:
        run_concurrently(*[invite_again] * 4)
        assert run_concurrently(invitations.pending().filter(email=email).count) == [1]
    finally:
        run_concurrently(Invitation.objects.filter(email=email).delete)


def test_the_email_says_who_where_and_until_when(staff_member):
    owner = staff_member("bondi", "owner")
    with clinic_context("bondi"):
        invitation, url = invitations.invite(EMAIL, "reception", owner)
        emails.send_invitation(invitation, url)
    message = mail.outbox[0]
    assert message.to == [EMAIL]
    assert message.subject == "Your invitation to Sidechart at Bondi Physio"
    html = html_of(message)
    for body in (message.body, html):
        for word in (owner.name, "Bondi Physio", "Reception", url, as_datetime(invitation.expires_at)):
            assert word in body


def test_markup_in_a_clinics_name_is_escaped_in_html_only(bondi):
    with clinic_context("bondi") as clinic:
        clinic.name = "Bones & <b>Sons</b>"
        emails.send_invitation(*invitations.invite(EMAIL, "reception"))
    assert "Bones & <b>Sons</b>" in mail.outbox[0].body
    assert "Bones &amp; &lt;b&gt;Sons&lt;/b&gt;" in html_of(mail.outbox[0])
