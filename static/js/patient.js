// The patient screen's own helps. It works without this file.

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
