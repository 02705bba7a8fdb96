"""A virtual passkey device in Chromium that confirms every dialog."""

from playwright.sync_api import Page


def add_device(page: Page) -> None:
    """Add a device that stores passkeys and verifies its user to the page's browser."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
