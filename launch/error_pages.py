"""Pages for when there is nothing to show: what happened, why that can be, who can help, one next step."""

from dataclasses import dataclass, replace
from typing import Literal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sync.read import patients
from sync.refresh import Outcome

_RETRY_SECONDS = 10


@dataclass(frozen=True)
class Banner:
    """Why the patient on the screen could not be checked, and the one next step: to try again, to have the connection
    looked at in the clinic settings, or to look in Cliniko. `{patient}` stands for the clinic's word."""

    sentence: str
    step: Literal["again", "settings", "cliniko"] = "settings"

    def in_words_of(self, word: str) -> "Banner":
        return replace(self, sentence=self.sentence.format(patient=word))


@dataclass(frozen=True)
class Explanation:
    """The one next step is the same address `again`; for those who may, the `settings` or the page of the `button`;
    otherwise back to search. `address` is what to enter in Cliniko, `onward` a page of ours for those who know better.
    `{patient}` stands for the clinic's word."""

    status: int
    title: str
    happened: str
    help: str
    why: tuple[str, ...] = ()
    again: bool = False
    settings: bool = False
    button: bool = False
    address: str = ""
    onward: str = ""

    def in_words_of(self, word: str) -> "Explanation":
        return replace(
            self,
            title=self.title.format(patient=word),
            happened=self.happened.format(patient=word),
            help=self.help.format(patient=word),
            why=tuple(reason.format(patient=word) for reason in self.why),
        )


_OUR_COPY = "Search still works: it shows Sidechart's own copy of this clinic's records."

NOT_RECORDED = Explanation(
    status=503,
    title="This page cannot be shown right now",
    happened="Sidechart keeps a record of who looks at whom and who changes what, and that record could not be written "
    "just now. Without it nothing is shown and nothing is changed.",
    help="This usually passes within a minute. If it does not, tell an owner or admin of your clinic.",
    again=True,
)

NO_PATIENT_NAMED = Explanation(
    status=400,
    title="Which {patient} was this about?",
    happened="The link that led here does not name one {patient} by a Cliniko id, so there is nobody to open.",
    why=(
        "The link was shortened or changed on its way.",
        "The app in Cliniko was set up with more than the plain address that ends in /patients.",
    ),
    help="Open the {patient} in Cliniko and choose Open in > Sidechart there. If this happens on every {patient}, "
    "ask an owner or admin to compare the address in Cliniko with the one in Sidechart's clinic settings.",
    button=True,
)

ANOTHER_ACCOUNT = Explanation(
    status=409,
    title="This button is not this clinic's",
    happened="You clicked a button of a Cliniko account that is not this clinic's. The same number is another "
    "{patient} there, so nobody is shown.",
    why=(
        "In that Cliniko account somebody entered this clinic's address.",
        "This clinic's own account got another name in Cliniko since its API key was entered here.",
    ),
    help="Compare the clinic's name above with the one in Cliniko. If they differ, somebody of the other clinic has to "
    "correct the address in that account. If it is the same clinic, an owner or admin can enter its API key again.",
)

UNREADABLE = Explanation(
    status=503,
    title="Cliniko's answer could not be read",
    happened="Cliniko knows this {patient}, but the record came in a form that Sidechart does not understand.",
    help="Look in Cliniko for now, and tell an owner or admin of your clinic: they can reach us about it.",
    again=True,
)

NOT_ARRIVED: dict[Outcome, Explanation] = {
    Outcome.UNKNOWN: Explanation(
        status=404,
        title="This {patient} is not in your clinic's Cliniko account",
        happened="We looked in Sidechart's copy and asked Cliniko. Neither has a {patient} with this id "
        "in the account that this clinic is connected to.",
        why=(
            "The button belongs to another clinic: two clinics may use the same computer.",
            "The {patient} was deleted in Cliniko a moment ago.",
            "Sidechart is connected with a key of another Cliniko account.",
        ),
        help="Compare the clinic's name above with the one in Cliniko. If they are the same, an owner or admin can "
        "check the connection in the clinic settings.",
    ),
    Outcome.BUSY: Explanation(
        status=503,
        title="Cliniko is being asked about this {patient}",
        happened="Somebody else opened the same {patient} a moment ago, and Cliniko's answer is not here yet.",
        help="Nobody needs to do anything: try again in a few seconds.",
        again=True,
    ),
    Outcome.RATE_LIMITED: Explanation(
        status=503,
        title="Cliniko asks us to wait a moment",
        happened="This {patient} is new to Sidechart, and Cliniko limits how many questions a clinic may ask a minute.",
        help=f"This passes within a minute or two. {_OUR_COPY}",
        again=True,
    ),
    Outcome.UNREACHABLE: Explanation(
        status=503,
        title="Cliniko does not answer right now",
        happened="This {patient} is new to Sidechart, so Cliniko has to be asked, and it did not answer in time.",
        help=f"If Cliniko itself is slow or down for you too, it has to recover first. {_OUR_COPY}",
        again=True,
    ),
    Outcome.KEY_INVALID: Explanation(
        status=503,
        settings=True,
        title="Cliniko does not accept this clinic's key any more",
        happened="This {patient} is new to Sidechart, and without a valid API key Cliniko cannot be asked.",
        why=("The key was removed in Cliniko.", "The Cliniko user who made the key was deactivated."),
        help=f"An owner or admin can enter a new key. {_OUR_COPY}",
    ),
    Outcome.KEY_FORBIDDEN: Explanation(
        status=503,
        settings=True,
        title="This clinic's key may not read this {patient}",
        happened="A key sees what the Cliniko user who made it sees, and that user may not read this {patient}.",
        help="Somebody who manages users in Cliniko can widen that user's role, or an owner or admin can enter "
        "the key of another user.",
    ),
    Outcome.NO_KEY: Explanation(
        status=503,
        settings=True,
        title="This clinic is not connected to Cliniko yet",
        happened="Sidechart has no API key for this clinic, so it cannot ask Cliniko about this {patient}.",
        help="An owner or admin can enter the clinic's API key.",
    ),
}


BANNERS: dict[Outcome, Banner] = {
    Outcome.UNREADABLE: Banner("Cliniko's answer could not be read, so this may be an older copy.", "cliniko"),
    Outcome.RATE_LIMITED: Banner("Cliniko asks us to wait a moment. This is Sidechart's latest copy.", "again"),
    Outcome.UNREACHABLE: Banner("Cliniko does not answer right now. This is Sidechart's latest copy.", "again"),
    Outcome.KEY_INVALID: Banner("Cliniko does not accept this clinic's key any more, so this copy cannot be checked."),
    Outcome.KEY_FORBIDDEN: Banner(
        "This clinic's key may no longer read this {patient}, so this copy cannot be checked."
    ),
    Outcome.NO_KEY: Banner("This clinic is not connected to Cliniko, so this copy cannot be checked."),
}


def explain(request: HttpRequest, explanation: Explanation) -> HttpResponse:
    """The page of this explanation, in the frame that suits whoever looks."""
    # Without the word it must do when the database is the trouble, and for visitors.
    known = request.user.is_authenticated and explanation is not NOT_RECORDED
    explanation = explanation.in_words_of(patients.clinic_facts().patient_word if known else "patient")
    frame = "base.html" if request.user.is_authenticated else "base_signed_out.html"
    context = {"explanation": explanation, "frame": frame}
    response = render(request, "launch/explanation.html", context, status=explanation.status)
    if explanation.status == 503:
        response["Retry-After"] = str(_RETRY_SECONDS)
    return response
