// Passkeys: a form with data-passkey asks that address what the browser's dialog needs, and sends what the dialog says.
// Asked on the click and not with the page, so that tabs do not use up each other's questions.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const withBytes = (credentials) => (credentials || []).map((each) => ({ ...each, id: bytes(each.id) }));

const dialog = async (options) => {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (!options.user) return navigator.credentials.get({ publicKey: { ...publicKey, allowCredentials: withBytes(options.allowCredentials) } });
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  publicKey.excludeCredentials = withBytes(options.excludeCredentials);
  return navigator.credentials.create({ publicKey });
};

const answer = (credential) => {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = text(credential.response[part]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
};

const use = async (form) => {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const asked = await fetch(form.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token, "X-User-Action": "0" } });
  // Led to the page that asks for the password again: that was too long ago.
  if (!asked.ok || asked.redirected) throw new Error("the page is stale");
  const { publicKey } = await asked.json();
  form.elements.credential.value = JSON.stringify(answer(await dialog(publicKey)));
  form.submit();
};

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    use(form).catch((trouble) => {
      if (trouble.message === "the page is stale") window.location.reload();
      else failed.hidden = false;
    });
  });
}
