// Passkeys: fetch WebAuthn options from the form's data-passkey URL, run the browser's dialog and submit its result.
// Options are fetched on submit, because each fetch replaces the session's challenge and another tab may be using it.

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const decodeIds = (credentials) => (credentials || []).map((each) => ({ ...each, id: decode(each.id) }));

const showDialog = async (options) => {
  const publicKey = { ...options, challenge: decode(options.challenge) };
  if (!options.user) return navigator.credentials.get({ publicKey: { ...publicKey, allowCredentials: decodeIds(options.allowCredentials) } });
  publicKey.user = { ...options.user, id: decode(options.user.id) };
  publicKey.excludeCredentials = decodeIds(options.excludeCredentials);
  return navigator.credentials.create({ publicKey });
};

const toJson = (credential) => {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = encode(credential.response[part]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
};

const submitWithPasskey = async (form) => {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const reply = await fetch(form.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token, "X-User-Action": "0" } });
  // A redirect means that the user has to confirm their password again.
  if (!reply.ok || reply.redirected) throw new Error("stale page");
  const { publicKey } = await reply.json();
  form.elements.credential.value = JSON.stringify(toJson(await showDialog(publicKey)));
  form.submit();
};

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    submitWithPasskey(form).catch((error) => {
      if (error.message === "stale page") window.location.reload();
      else failed.hidden = false;
    });
  });
}
