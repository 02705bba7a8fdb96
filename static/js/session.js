// Count down to the end of the session: warn a minute before it and clear the page at zero. The server enforces it too.

const page = document.body.dataset;
const WARN_SECONDS = 60;

// Only the user's own actions extend the session. Requests that the page makes automatically send "0".
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-User-Action"] = event.detail.triggeringEvent?.isTrusted ? "1" : "0";
});

const watchSession = () => {
  const warning = document.querySelector("#session-warning");
  let ends = Date.now() + Number(page.sessionSeconds) * 1000;
  let checking = false;
  let checkedAt = 0;
  const left = () => Math.ceil((ends - Date.now()) / 1000);

  // Remove everything about the patient: the page, its title and icon, and any response htmx is still waiting for.
  const clearPage = () => {
    clearInterval(clock);
    // A response that arrives after its element is gone would redirect the browser to the sign-in page.
    for (const element of document.querySelectorAll("[hx-get], [hx-post]")) window.htmx.trigger(element, "htmx:abort");
    const message = document.querySelector("#session-over").content.cloneNode(true);
    message.querySelector("[data-session-again]").href = window.location.pathname + window.location.search;
    document.title = "Signed out";
    document.querySelector("link[rel=icon]").remove();
    window.dispatchEvent(new Event("pagehide")); // tells other tabs that this patient is closed
    document.body.replaceChildren(message);
    document.body.removeAttribute("hx-headers");
    document.body.hidden = false;
    document.querySelector("[data-session-again]").focus();
  };

  // Return true if the session continues (another tab may have extended it), false if it's over, null without a response.
  const check = async (method) => {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";
    const headers = { "X-User-Action": method === "POST" ? "1" : "0", "X-CSRFToken": token };
    checkedAt = Date.now();
    try {
      const response = await fetch(page.sessionAddress, { method, headers, cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!response.ok) return response.status === 401 || response.status === 403 ? false : null;
      const { session, seconds } = await response.json();
      ends = Date.now() + seconds * 1000;
      return String(session) === page.session && seconds > 0; // someone else may have signed in since
    } catch {
      return null;
    }
  };

  const warn = () => {
    warning.querySelector("[data-seconds-left]").textContent = String(Math.max(0, left()));
    if (!warning.open) warning.showModal();
  };

  const tick = async () => {
    if (checking) return;
    if (left() > WARN_SECONDS) {
      if (warning.open) warning.close();
      return;
    }
    checking = true;
    document.body.hidden = left() <= 0; // hide it before checking, for example when a computer wakes up
    if (left() <= 0 && (await check("GET")) !== true) return clearPage();
    document.body.hidden = false;
    if (Date.now() - checkedAt > 10000 && (await check("GET")) === false) return clearPage();
    if (left() <= WARN_SECONDS) warn();
    checking = false;
  };
  const clock = setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);

  document.querySelector("[data-session-stay]").addEventListener("click", async () => {
    if ((await check("POST")) === false) clearPage();
    else if (left() > WARN_SECONDS) warning.close();
    else warning.querySelector("[data-session-last]").hidden = false;
  });
  warning.addEventListener("cancel", (event) => event.preventDefault());

  document.addEventListener("htmx:afterRequest", (event) => {
    const seconds = event.detail.xhr.getResponseHeader("X-Session-Seconds");
    if (seconds) ends = Date.now() + Number(seconds) * 1000;
  });
  // htmx would redirect to the sign-in page, whose ticket expires long before anyone returns to this screen.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    clearPage();
  });

  // A page from the back-forward cache may belong to a session that has ended, or to another user's.
  window.addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    document.body.hidden = true;
    if ((await check("GET")) === true) document.body.hidden = false;
    else clearPage();
  });
};
if (page.session) watchSession();
