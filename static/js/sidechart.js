// Keyboard shortcuts and small enhancements. Every page works without this file.

const isField = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

// htmx stores the page's path, which contains a patient's ID, for a history that we don't use.
window.sessionStorage.removeItem("htmx-current-path-for-history");

// "/" focuses the page's search box, or the one in the top bar.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
  const boxes = [...document.querySelectorAll("[data-search-key]")].filter((box) => box.offsetParent !== null);
  if (boxes.length === 0) return;
  event.preventDefault();
  boxes[0].focus();
  boxes[0].select();
});

// Keys in data-key activate their control and "?" lists them, except while the user types in a field.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isField(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const control = event.key === "?" ? document.querySelector("[data-open=shortcuts]")
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

// Arrow keys move from the search box through the results and back.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.closest("[data-arrow-keys]")) return;
  const stops = [...document.querySelectorAll("[data-arrow-keys] input[type=search], [data-arrow-keys] .patient-list a")];
  const next = stops[stops.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

// Disable the results while they don't match the text typed: Enter would open the wrong patient.
const box = document.querySelector("#search-text");
if (box) {
  const results = document.querySelector("#results");
  let sent = box.defaultValue;
  let shown = box.defaultValue;
  const update = () => { results.inert = box.value !== shown; };
  box.addEventListener("input", update);
  box.form.addEventListener("htmx:beforeRequest", () => { sent = box.value; });
  results.addEventListener("htmx:afterSwap", () => { shown = sent; update(); });
  // Search for what was typed before this file had loaded.
  document.addEventListener("htmx:load", () => {
    update();
    if (results.inert) window.htmx.trigger(box.form, "submit");
  }, { once: true });
}

// Close an open menu on Escape and on a click outside it.
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

// Copy buttons confirm it, also to screen readers.
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

// Update "3 minutes ago" while the page stays open. The words match tenants/dates.py.
const ago = (seconds) => {
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} seconds ago`;
  if (seconds < 120) return "a minute ago";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} minutes ago`;
  if (seconds < 7200) return "an hour ago";
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} hours ago`;
  return null; // keep the server's date
};
const updateTimes = () => {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (words) time.textContent = words;
  }
};
updateTimes();
setInterval(updateTimes, 10000);

// Show a form's error message when its request fails.
const showFailure = (failed) => (event) => {
  const form = event.target.closest("form");
  for (const message of form?.querySelectorAll("[data-failed]") ?? []) message.hidden = !failed;
};
document.addEventListener("htmx:beforeRequest", showFailure(false));
for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, showFailure(true));
