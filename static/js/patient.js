// The patient screen's own helps. It works without this file.

// Saving, pinning or deleting one note draws all of them anew: what is half typed in the other boxes stays, with what it
// was typed over.
const halfTyped = new Map();
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.id !== "own-notes") return;
  for (const box of document.querySelectorAll("#own-notes textarea")) {
    if (box.form.contains(event.detail.requestConfig.elt)) halfTyped.delete(box.id);
    else if (box.value !== box.defaultValue) {
      const { version, offered } = box.form.elements;
      halfTyped.set(box.id, { text: box.value, version: version?.value, offered: offered.value });
    }
  }
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, was] of halfTyped) {
    const box = document.getElementById(id);
    if (!box) continue;
    box.value = was.text;
    box.form.elements.offered.value = was.offered;
    if (was.version) box.form.elements.version.value = was.version;
    if (box.closest("details")) box.closest("details").open = true;
    halfTyped.delete(id);
  }
});

// Fast fingers type before htmx is here to keep what they type.
document.addEventListener("htmx:load", () => {
  for (const box of document.querySelectorAll("#own-notes textarea")) {
    if (box.value !== box.defaultValue) window.htmx.trigger(box, "input");
  }
}, { once: true });

// Two patients open at once are told to both tabs. Tabs say a word to each other that names nobody; nothing is stored.
const elsewhere = () => document.querySelector("[data-elsewhere]");
const word = elsewhere()?.dataset.elsewhere;
if (word && window.BroadcastChannel) {
  const me = [...window.crypto.getRandomValues(new Uint32Array(4))].join("-");
  const channel = new BroadcastChannel("sidechart-patient");
  const others = new Map();
  const say = (kind) => channel.postMessage({ kind, me, word });
  const show = () => { if (elsewhere()) elsewhere().hidden = ![...others.values()].some((other) => other !== word); };
  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "gone") others.delete(data.me);
    else others.set(data.me, data.word);
    if (data.kind === "hello") say("here");
    show();
  });
  const ask = () => { others.clear(); show(); say("hello"); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); }); // a tab that crashed said no goodbye
  document.addEventListener("htmx:afterSettle", show);
  window.addEventListener("pagehide", () => say("gone"));
  ask();
}
