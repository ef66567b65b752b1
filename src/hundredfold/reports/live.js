"use strict";
// Renews the page from disk: live.js tells the page's number, and a higher one reloads it. A
// script is read because a page that was opened as a file may not fetch other files.
(() => {
  const { number, every, ended } = JSON.parse(document.body.dataset.live);
  const line = document.querySelector(".live");
  const patience = Math.max(10 * every, 60000);
  let moved = 0;
  let heard = Date.now();
  addEventListener("pointermove", () => { moved = Date.now(); });
  const busy = () => Date.now() - moved < 3000 || !getSelection().isCollapsed;
  globalThis.hundredfold = (newest, beat) => {
    if (beat !== globalThis.hundredfoldBeat) heard = Date.now();
    globalThis.hundredfoldBeat = beat;
    line.classList.toggle("stale", Date.now() - heard > patience);
    if (newest !== number && !busy()) location.reload();
  };
  const ask = () => {
    const script = document.createElement("script");
    script.src = "live.js?" + Date.now();
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  };
  if (!ended) setInterval(ask, every);
})();
