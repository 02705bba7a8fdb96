// The console's additions to sidechart.js. Loaded without defer, so that unfold's `dark` class is set before the first paint.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const applyColourScheme = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", applyColourScheme);
applyColourScheme();

// Select or clear every clinic on the page with the checkbox in the list's header.
document.addEventListener("change", (event) => {
  if (event.target.id !== "action-toggle") return;
  for (const box of document.querySelectorAll("input.action-select")) box.checked = event.target.checked;
});
