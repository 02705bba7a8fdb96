"""A passkey device in Chromium, without hands: it answers every dialog as if its owner had pressed a finger on it."""

from playwright.sync_api import Page


def add_device(page: Page) -> None:
    """Give the browser of this page a device that keeps passkeys and verifies its owner."""
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
