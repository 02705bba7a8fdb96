// Small helps for hands on the keyboard. Every page works without this file.

const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

// htmx notes the page's path, which names a patient, for a history that we do not use. Nothing of a patient stays.
window.sessionStorage.removeItem("htmx-current-path-for-history");

// "/" goes to the search box of the page, or else to the one in the top bar.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const boxes = [...document.querySelectorAll("[data-search-key]")].filter((box) => box.offsetParent !== null);
  if (boxes.length === 0) return;
  event.preventDefault();
  boxes[0].focus();
  boxes[0].select();
});

// One key for each control that names one in data-key, and "?" for the list of them. Never while somebody types.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const control = event.key === "?" ? document.querySelector("[data-open=keys]")
    : [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
  if (!control) return;
  event.preventDefault();
  if (control.matches("textarea")) control.focus();
  else control.click();
});
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
});

// Arrow keys walk from the search box through the results and back.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.closest("[data-walk]")) return;
  const stops = [...document.querySelectorAll("[data-walk] input[type=search], [data-walk] .people a")];
  const next = stops[stops.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

// While the people listed are not those of the words typed, nobody of them can be opened: Enter would hit a stranger.
const box = document.querySelector("#search-text");
if (box) {
  const results = document.querySelector("#results");
  let asked = box.defaultValue;
  let answered = box.defaultValue;
  const settle = () => { results.inert = box.value !== answered; };
  box.addEventListener("input", settle);
  box.form.addEventListener("htmx:beforeRequest", () => { asked = box.value; });
  results.addEventListener("htmx:afterSwap", () => { answered = asked; settle(); });
  // Fast fingers type before this file is here.
  document.addEventListener("htmx:load", () => {
    settle();
    if (results.inert) window.htmx.trigger(box.form, "submit");
  }, { once: true });
}

// Escape and a click elsewhere close an open menu.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("[data-menu][open]")) if (menu !== except) menu.open = false;
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("[data-menu]")));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// Copy buttons say that they did, to eyes and to screen readers.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const before = button.textContent;
  const name = button.ariaLabel;
  button.textContent = "Copied";
  button.ariaLabel = null;
  setTimeout(() => { button.textContent = before; button.ariaLabel = name; }, 1500);
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// Keep "checked 3 minutes ago" true while the page stays open. Matches tenants/dates.py.
const ago = (seconds) => {
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} seconds ago`;
  if (seconds < 120) return "a minute ago";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} minutes ago`;
  if (seconds < 7200) return "an hour ago";
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} hours ago`;
  return null; // keep the date that the server wrote
};
const tellTime = () => {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (words) time.textContent = words;
  }
};
tellTime();
setInterval(tellTime, 10000);

// When a question to Sidechart itself finds no answer, the place that asked says so.
const say = (failed) => (event) => {
  const place = event.target.closest("form");
  for (const words of place ? place.querySelectorAll("[data-failed]") : []) words.hidden = !failed;
};
document.addEventListener("htmx:beforeRequest", say(false));
for (const trouble of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(trouble, say(true));
