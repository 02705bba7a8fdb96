// The page keeps the session's time: it warns a minute before the end and blanks itself at zero. The server keeps its own.

const page = document.body.dataset;
const WARN_SECONDS = 60;

// Only what a person does puts the end off. A fragment that the page asks for by itself says so.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-User-Action"] = event.detail.triggeringEvent?.isTrusted ? "1" : "0";
});

const keepTime = () => {
  const warning = document.querySelector("#session-warning");
  let ends = Date.now() + Number(page.sessionSeconds) * 1000;
  let asking = false;
  let askedAt = 0;
  const left = () => Math.ceil((ends - Date.now()) / 1000);

  // Nothing of a patient stays: not in the page, not in its title and icon, not in what htmx would still swap in.
  const blank = () => {
    clearInterval(clock);
    // An answer still on its way would, its element gone, lead the browser to the sign-in page.
    for (const asking of document.querySelectorAll("[hx-get], [hx-post]")) window.htmx.trigger(asking, "htmx:abort");
    const words = document.querySelector("#session-over").content.cloneNode(true);
    words.querySelector("[data-session-again]").href = window.location.pathname + window.location.search;
    document.title = "Signed out";
    document.querySelector("link[rel=icon]").remove();
    window.dispatchEvent(new Event("pagehide")); // to other tabs this one is gone
    document.body.replaceChildren(words);
    document.body.removeAttribute("hx-headers");
    document.body.hidden = false;
    document.querySelector("[data-session-again]").focus();
  };

  // Ask the server, which another tab may have told that somebody is there. True: goes on. False: over. Null: no answer.
  const ask = async (method) => {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";
    const headers = { "X-User-Action": method === "POST" ? "1" : "0", "X-CSRFToken": token };
    askedAt = Date.now();
    try {
      const answer = await fetch(page.sessionAddress, { method, headers, cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!answer.ok) return answer.status === 401 || answer.status === 403 ? false : null;
      const { session, seconds } = await answer.json();
      ends = Date.now() + seconds * 1000;
      return String(session) === page.session && seconds > 0; // somebody else may have signed in since
    } catch {
      return null;
    }
  };

  const warn = () => {
    warning.querySelector("[data-seconds-left]").textContent = String(Math.max(0, left()));
    if (!warning.open) warning.showModal();
  };

  const tick = async () => {
    if (asking) return;
    if (left() > WARN_SECONDS) {
      if (warning.open) warning.close();
      return;
    }
    asking = true;
    document.body.hidden = left() <= 0; // at once, also on a computer that wakes up
    if (left() <= 0 && (await ask("GET")) !== true) return blank();
    document.body.hidden = false;
    if (Date.now() - askedAt > 10000 && (await ask("GET")) === false) return blank();
    if (left() <= WARN_SECONDS) warn();
    asking = false;
  };
  const clock = setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);

  document.querySelector("[data-session-stay]").addEventListener("click", async () => {
    if ((await ask("POST")) === false) blank();
    else if (left() > WARN_SECONDS) warning.close();
    else warning.querySelector("[data-session-last]").hidden = false;
  });
  warning.addEventListener("cancel", (event) => event.preventDefault());

  document.addEventListener("htmx:afterRequest", (event) => {
    const seconds = event.detail.xhr.getResponseHeader("X-Session-Seconds");
    if (seconds) ends = Date.now() + Number(seconds) * 1000;
  });
  // htmx would follow to the sign-in page, whose ticket is over long before somebody comes back to this screen.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    blank();
  });

  // A page kept by the browser for its back button may be of a session that has ended, or of somebody else's.
  window.addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    document.body.hidden = true;
    if ((await ask("GET")) === true) document.body.hidden = false;
    else blank();
  });
};
if (page.session) keepTime();
