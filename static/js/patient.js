// Enhancements of the patient screen, which works without this file.

// Saving, pinning or deleting a note replaces all of them: keep unsaved text in the other boxes, and the version it edits.
const unsaved = new Map();
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id !== "team-notes") return;
  for (const box of document.querySelectorAll("#team-notes textarea")) {
    if (box.form.contains(event.detail.requestConfig.elt)) unsaved.delete(box.id);
    else if (box.value !== box.defaultValue) {
      const { version, restored } = box.form.elements;
      unsaved.set(box.id, { text: box.value, version: version?.value, restored: restored.value });
    }
  }
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, typed] of unsaved) {
    const box = document.getElementById(id);
    if (!box) continue;
    box.value = typed.text;
    box.form.elements.restored.value = typed.restored;
    if (typed.version) box.form.elements.version.value = typed.version;
    if (box.closest("details")) box.closest("details").open = true;
    unsaved.delete(id);
  }
});

// Save a draft of what was typed before htmx had loaded.
document.addEventListener("htmx:load", () => {
  for (const box of document.querySelectorAll("#team-notes textarea")) {
    if (box.value !== box.defaultValue) window.htmx.trigger(box, "input");
  }
}, { once: true });

// Show a warning in both tabs when two patients are open. Each tab sends a token that doesn't identify its patient.
const warning = () => document.querySelector("[data-other-tab]");
const token = warning()?.dataset.otherTab;
if (token && window.BroadcastChannel) {
  const tab = [...window.crypto.getRandomValues(new Uint32Array(4))].join("-");
  const channel = new BroadcastChannel("sidechart-patient");
  const others = new Map();
  const send = (kind) => channel.postMessage({ kind, tab, token });
  const show = () => { if (warning()) warning().hidden = ![...others.values()].some((other) => other !== token); };
  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "closed") others.delete(data.tab);
    else others.set(data.tab, data.token);
    if (data.kind === "opened") send("reply");
    show();
  });
  const refresh = () => { others.clear(); show(); send("opened"); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); }); // a crashed tab doesn't send "closed"
  document.addEventListener("htmx:afterSettle", show);
  window.addEventListener("pagehide", () => send("closed"));
  refresh();
}
