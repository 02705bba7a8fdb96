"""Texts that Python chooses: error pages, banners, flash messages, and one-line summaries. All others are in templates.

`{patient}` is the clinic's own word: patient, client, …
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from launch.button_clicks import Kind
from sync.key_entry import KeyProblem
from sync.refresh import Outcome


class Message(NamedTuple):
    happened: str
    what_to_do: str

    def format(self, **values: str) -> "Message":
        return Message(self.happened.format(**values), self.what_to_do.format(**values))


def counted(texts: tuple[str, str], count: int) -> str:
    """Return the text for one or for many."""
    return texts[count != 1].format(count=count)


# --- Error pages ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ErrorPage:
    """`action` is the next step: the same URL again, back to search, or for owners and admins a settings page."""

    status: int
    title: str
    happened: str
    what_to_do: str
    causes: tuple[str, ...] = ()
    action: Literal["retry", "search", "settings", "button"] = "search"

    def format(self, **values: str) -> "ErrorPage":
        return replace(
            self,
            title=self.title.format(**values),
            happened=self.happened.format(**values),
            what_to_do=self.what_to_do.format(**values),
            causes=tuple(cause.format(**values) for cause in self.causes),
        )


_SEARCH_WORKS = "Search still works: it uses Sidechart's copy of your records."

NOT_AUDITED = ErrorPage(
    status=503,
    title="This page can't be shown right now",
    happened="Sidechart records who views and changes what, and couldn't write to the access log just now. Without an "
    "entry there, nothing is shown or changed.",
    what_to_do="This usually passes within a minute. If it doesn't, tell an owner or admin of your clinic.",
    action="retry",
)

NO_PATIENT_ID = ErrorPage(
    status=400,
    title="Which {patient} do you want to open?",
    happened="The link that brought you here has no valid Cliniko ID, so there is no {patient} to open.",
    causes=(
        "The link was shortened or changed on its way.",
        "The App URL in Cliniko has something after /patients.",
    ),
    what_to_do="Open the {patient} in Cliniko and choose Open in > Sidechart there. If this happens on every "
    "{patient}, ask an owner or admin to compare the App URL in Cliniko with the one in Sidechart's clinic settings.",
    action="button",
)

WRONG_URL = ErrorPage(
    status=404,
    title="The button's URL in Cliniko has a mistake",
    happened="No {patient} was opened. The App URL should be:",
    what_to_do="{fix} Someone who can change settings in Cliniko can do this under Settings > Our clinic > "
    "Integrations, in Connected patient apps.",
    action="button",
)

ANOTHER_ACCOUNT = ErrorPage(
    status=409,
    title="You clicked in another Cliniko account",
    happened="The button you clicked is in a Cliniko account that isn't this clinic's. There, the same ID belongs to "
    "another {patient}, so nothing was opened.",
    causes=(
        "Someone entered this clinic's URL in that Cliniko account.",
        "This clinic's Cliniko account was renamed after its API key was entered here.",
    ),
    what_to_do="Compare the clinic's name above with the one in Cliniko. If they differ, someone at the other clinic "
    "needs to correct the App URL in their account. If it's the same clinic, an owner or admin can enter its API key "
    "again.",
)

UNREADABLE = ErrorPage(
    status=503,
    title="Cliniko's answer couldn't be read",
    happened="Cliniko answered, but Sidechart couldn't read what it says about this {patient}.",
    what_to_do="Use Cliniko for now, and tell an owner or admin of your clinic: they can contact us.",
    action="retry",
)

NOT_FOUND: dict[Outcome, ErrorPage] = {
    Outcome.UNKNOWN: ErrorPage(
        status=404,
        title="This {patient} isn't in your clinic's Cliniko account",
        happened="We checked Sidechart's copy and asked Cliniko. Neither has a {patient} with this ID in the account "
        "that this clinic is connected to.",
        causes=(
            "The button belongs to another clinic: two clinics may use the same computer.",
            "The {patient} was deleted in Cliniko a moment ago.",
            "Sidechart is connected with an API key of another Cliniko account.",
        ),
        what_to_do="Compare the clinic's name above with the one in Cliniko. If they're the same, an owner or admin "
        "can check the connection in the clinic settings.",
    ),
    Outcome.BUSY: ErrorPage(
        status=503,
        title="Sidechart is already asking Cliniko about this {patient}",
        happened="Someone else opened the same {patient} a moment ago, and Cliniko hasn't answered yet.",
        what_to_do="Try again in a few seconds.",
        action="retry",
    ),
    Outcome.RATE_LIMITED: ErrorPage(
        status=503,
        title="Cliniko is busy",
        happened="This {patient} is new to Sidechart, and your clinic has reached Cliniko's limit of requests per "
        "minute.",
        what_to_do=f"Try again in a minute or two. {_SEARCH_WORKS}",
        action="retry",
    ),
    Outcome.UNREACHABLE: ErrorPage(
        status=503,
        title="Cliniko isn't responding",
        happened="This {patient} is new to Sidechart, and Cliniko didn't answer in time.",
        what_to_do=f"If Cliniko is slow or down for you too, wait until it recovers. {_SEARCH_WORKS}",
        action="retry",
    ),
    Outcome.KEY_INVALID: ErrorPage(
        status=503,
        title="Cliniko no longer accepts this clinic's API key",
        happened="This {patient} is new to Sidechart, which can't ask Cliniko without a valid API key.",
        causes=("The key was deleted in Cliniko.", "The Cliniko user who created the key was deactivated."),
        what_to_do=f"An owner or admin can enter a new API key. {_SEARCH_WORKS}",
        action="settings",
    ),
    Outcome.KEY_FORBIDDEN: ErrorPage(
        status=503,
        title="This clinic's API key can't read this {patient}",
        happened="An API key can read what its Cliniko user can read, and that user can't read this {patient}.",
        what_to_do="A Cliniko administrator can change that user's role, or an owner or admin can enter the API key of "
        "another user.",
        action="settings",
    ),
    Outcome.NO_KEY: ErrorPage(
        status=503,
        title="This clinic isn't connected to Cliniko yet",
        happened="Sidechart has no API key for this clinic, so it can't ask Cliniko about this {patient}.",
        what_to_do="An owner or admin can enter the clinic's API key.",
        action="settings",
    ),
}

# --- Patient screen ---------------------------------------------------------------------------------------------------


class Banner(NamedTuple):
    """Why the copy on the screen couldn't be checked, and the next step. With `retry` the page adds the copy's age."""

    sentence: str
    action: Literal["retry", "settings", "cliniko"]

    def format(self, **values: str) -> "Banner":
        return Banner(self.sentence.format(**values), self.action)


BANNERS: dict[Outcome, Banner] = {
    Outcome.UNREADABLE: Banner("Cliniko's answer couldn't be read, so this copy may be out of date.", "cliniko"),
    Outcome.RATE_LIMITED: Banner("Cliniko is busy.", "retry"),
    Outcome.UNREACHABLE: Banner("Cliniko isn't responding.", "retry"),
    Outcome.KEY_INVALID: Banner(
        "Cliniko no longer accepts this clinic's API key, so this copy can't be checked.", "settings"
    ),
    Outcome.KEY_FORBIDDEN: Banner(
        "This clinic's API key can no longer read this {patient}, so this copy can't be checked.", "settings"
    ),
    Outcome.NO_KEY: Banner("This clinic isn't connected to Cliniko, so this copy can't be checked.", "settings"),
}

EMPTY_VALUE = "empty"
PRIVACY_POLICY = {True: "accepted", False: "declined", None: "not recorded"}
FIELD_LABELS = {
    "name": "Name",
    "preferred_name": "Preferred name",
    "pronouns": "Pronouns",
    "date_of_birth": "Date of birth",
    "sex": "Sex",
    "privacy_policy_accepted": "Privacy policy",
    "phones": "Phone",
    "email": "Email",
    "address_lines": "Address",
    "reminder_type": "Reminders",
    "emergency_contact": "Emergency contact",
    "title": "Title",
    "gender_identity": "Gender identity",
    "occupation": "Occupation",
    "referral_source": "Referral source",
    "concession": "Concession",
    "appointment_notes": "Appointment notes",
    "notes": "Notes in Cliniko",
    "archived_at": "Archived",
}

NOTE_EMPTY = "A note can't be empty."
NOTE_EMPTY_EDIT = "A note can't be empty. To remove it, delete it."

# --- The button in Cliniko --------------------------------------------------------------------------------------------

# What a click that didn't work reached. `{who}` is a user's name or Someone, `{at}` is `at 2:05 pm`; for `{scheme}`,
# `{host}`, `{label}` and `{base}` see launch.button_clicks.url_parts.
BUTTON_MESSAGES = {
    Kind.SIGNED_OUT: Message(
        "Someone who isn't signed in opened the button's URL {at}.",
        "The URL is right. Sign in there, then click the button again.",
    ),
    Kind.TYPED: Message(
        "{who} opened the button's URL {at}, but not from a page in Cliniko.",
        "The URL is right. Click the button on a {patient}'s page in Cliniko.",
    ),
    Kind.HTTP: Message(
        "{who} clicked {at}, and the URL began with http://, which isn't encrypted.",
        "Start the App URL with https://.",
    ),
    Kind.NO_PATH: Message(
        "{who} clicked {at}, and the URL ended before /patients.",
        "Add /patients to the end of the App URL.",
    ),
    Kind.SINGULAR: Message(
        "{who} clicked {at}, and the URL ended in /patient.",
        "Add an s to the end of the App URL: /patients.",
    ),
    Kind.CAPITALS: Message(
        "{who} clicked {at}, and the URL had capital letters in /patients.",
        "Write /patients in lower case.",
    ),
    Kind.MORE_PATH: Message(
        "{who} clicked {at}, and the URL had something after /patients.",
        "Delete everything after /patients in the App URL.",
    ),
    Kind.OTHER_PATH: Message(
        "{who} clicked {at}, and the URL was that of another page.",
        "Replace everything after {host} in the App URL with /patients.",
    ),
    Kind.NO_ID: Message(
        "{who} opened the button's URL {at}, and it had no {patient}'s ID.",
        "Delete any ? or # from the App URL, and everything after it: Cliniko adds the {patient}'s ID.",
    ),
    Kind.BAD_ID: Message(
        "{who} clicked {at}, and the {patient}'s ID wasn't a Cliniko ID.",
        "End the App URL with /patients, without a ? or anything after it: Cliniko adds the {patient}'s ID.",
    ),
    Kind.OTHER_ACCOUNT: Message(
        "{who} clicked {at} in a Cliniko account that isn't this clinic's.",
        "In that other account, delete this clinic's URL.",
    ),
    Kind.TWO_LEVELS: Message(
        "{who} clicked {at}, and the URL had one name too many before {base}.",
        "Start the App URL with {scheme}://{label}. with nothing between the two slashes and {label}.",
    ),
    Kind.FORMER_NAME: Message(
        "{who} clicked {at}, and the URL had a former name of this clinic.",
        "Start the App URL with {scheme}://{label}.",
    ),
}

# --- API key ----------------------------------------------------------------------------------------------------------

_COPY_KEY = (
    "In Cliniko, the user whose key it is opens My info > Manage API keys. Copy the key there and paste it here."
)
_COPY_KEY_AGAIN = "Copy the whole key again from My info > Manage API keys in Cliniko and paste it here."

# Why a key wasn't accepted. The values are KeyNotAccepted.details.
KEY_MESSAGES: dict[KeyProblem | Outcome, Message] = {
    KeyProblem.EMPTY: Message("There is no key to test.", _COPY_KEY),
    KeyProblem.URL: Message("This is a URL, not an API key.", _COPY_KEY),
    KeyProblem.EMAIL: Message("This is an email address, not an API key.", _COPY_KEY),
    KeyProblem.WHITESPACE: Message(
        "There are spaces or line breaks in the middle, and an API key has none.", _COPY_KEY_AGAIN
    ),
    KeyProblem.MALFORMED: Message(
        "This isn't a Cliniko API key. A key is a long line of letters, digits and dashes.", _COPY_KEY_AGAIN
    ),
    KeyProblem.OTHER_ACCOUNT: Message(
        "This key belongs to another Cliniko account, {account}. This clinic is connected to {current}.",
        "Nothing was changed. If it's the wrong key, paste the right one. If the clinic has moved to the other "
        "account, confirm that below.",
    ),
    Outcome.KEY_INVALID: Message(
        "Cliniko ({shard}) doesn't accept this key. It's incomplete or was deleted in Cliniko, or the user who created "
        "it is no longer active.",
        f"{_COPY_KEY_AGAIN} If it's refused again, create a new one there.",
    ),
    Outcome.KEY_FORBIDDEN: Message(
        "{error} A key can read what its user can read.",
        "A Cliniko administrator can change that user's role, or create their own key. Paste that key here.",
    ),
    Outcome.RATE_LIMITED: Message(
        "Cliniko limits how many requests a key can make, and this key has reached the limit.",
        "Nothing is wrong with the key. Paste it again {until}.",
    ),
    Outcome.UNREACHABLE: Message(
        "Cliniko ({shard}) isn't responding, so the key couldn't be tested.",
        "Paste it again in a few minutes. If Cliniko works for you in another window, check that the key is complete: "
        "its ending says where Cliniko keeps the account.",
    ),
    Outcome.UNREADABLE: Message(
        "Cliniko's answer couldn't be read, so the key couldn't be tested.",
        "Try again in a few minutes. If it happens again, contact us.",
    ),
}

# --- Staff from Cliniko -----------------------------------------------------------------------------------------------

USERS_NOT_READ: dict[Outcome, str] = {
    Outcome.RATE_LIMITED: "Cliniko is busy. Try again in a minute or two.",
    Outcome.KEY_INVALID: "Cliniko no longer accepts this clinic's API key, so its users can't be read.",
    Outcome.KEY_FORBIDDEN: "The Cliniko user who created this clinic's API key can't see Cliniko's users. Use the key "
    "of an administrator.",
    Outcome.NO_KEY: "This clinic isn't connected to Cliniko yet, so its users can't be read.",
}
USERS_UNREACHABLE = "Cliniko isn't responding. Try again in a few minutes."

INVITED = ("1 invitation sent.", "{count} invitations sent.")
NO_ONE_TICKED = "Tick the people to invite."
TOO_MANY_TICKED = "You can invite {limit} people at once. Tick the others again."
INVALID_INVITATION = "{email} can't be invited. Check the email address and role."
EMAIL_NOT_SENT = "The email to {email} couldn't be sent. Send it again from the list below."

# --- Settings ---------------------------------------------------------------------------------------------------------

ONBOARDING_TITLES = {
    "sign-in": "Two-step verification",
    "key": "Connect to Cliniko",
    "import": "Import your {patient}s",
    "button": "Add the button to Cliniko",
    "colleagues": "Invite your team",
}

MENU_NO_KEY = "No API key yet. Sidechart needs one to copy your records from Cliniko."
MENU_KEY_REFUSED = "Cliniko refuses the key …{last4}. Enter a new one."
MENU_KEY = "…{last4} of {account}, created by {user}."
MENU_SYNC = "Up to date. Last checked {ago}."
MENU_BUTTON_WORKS = "Tested and working: {url}"
MENU_BUTTON_UNTESTED = "Not tested yet: {url}"
MENU_STAFF = ("1 person can sign in.", "{count} people can sign in.")
MENU_INVITED = ("1 invitation is pending.", "{count} invitations are pending.")
MENU_TWO_STEP_FROM = "Everyone needs two-step verification from {date}."
MENU_TWO_STEP_OPTIONAL = "Two-step verification is optional."
MENU_IDLE = "Signed out after {minutes} idle minutes."
MENU_LOG = "{count:,} entries, the latest {ago}."
MENU_LOG_EMPTY = "No entries yet."
MENU_ALL_STORED = "All groups of fields are stored."
MENU_NOT_STORED = "Not stored: {groups}."
MENU_RETENTION = "Records deleted in Cliniko are removed after {days} days."
MENU_EXPORT = "All of the clinic's data, in one file."

CARD_NUMBERS_SHOWN = "Staff can now reveal Medicare and DVA numbers."
CARD_NUMBERS_HIDDEN = "Medicare and DVA numbers are no longer shown."

GROUP_INCLUDED = "{group}: stored again. Sidechart is reading it from Cliniko."
GROUP_EXCLUDED = "{group}: no longer stored. Our copy has been deleted."
CONFIRM_DELETION = "Tick the box to confirm: deleted data isn't restored automatically."
RETENTION_SAVED = "Saved. It applies from tonight."

SYNC_REQUESTED = "Sidechart will ask Cliniko for changes within a few seconds."
COMPARISON_REQUESTED = "Sidechart is reading and comparing every record. This takes about as long as the first import."
SYNC_PAUSED = "Sync is paused until someone resumes it."
SYNC_NOT_PAUSABLE = "There is nothing to pause."
SYNC_RESUMED = "Sync resumed."
SYNC_NOT_PAUSED = "Sync wasn't paused."
