// What the console has beside sidechart.js. It runs before the page is drawn: unfold's dark colours hang on a class.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", colour);
colour();

// The box in the list's head chooses every clinic on the page, or none.
document.addEventListener("change", (event) => {
  if (event.target.id !== "action-toggle") return;
  for (const box of document.querySelectorAll("input.action-select")) box.checked = event.target.checked;
});
