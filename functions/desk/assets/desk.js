// What happens shows without reloading: the page is fetched again every three seconds while it is looked at, and the parts
// that changed are replaced. A part that is being worked on stays as it is. Every action works without this.
"use strict";

const EVERY = 3000;
let mark = "";
let failing = false;

function isInUse(part) {
  const active = document.activeElement;
  const hasFocus = active && active !== document.body && part.contains(active) && active.id !== "main";
  return hasFocus || part.querySelector("input:checked:not([data-checked]), details.fold[open]") !== null;
}

function replace(fresh) {
  const main = document.querySelector("main");
  const next = fresh.querySelector("main");
  if (!next) {
    location.reload();
    return;
  }
  if (main.innerHTML === next.innerHTML) return;
  if (!isInUse(main)) {
    const menu = document.querySelector("nav.nav");
    main.replaceWith(document.adoptNode(next));
    const freshMenu = fresh.querySelector("nav.nav");
    if (menu && freshMenu) menu.replaceWith(document.adoptNode(freshMenu));
    const icons = document.querySelector("body > div[hidden]");
    const freshIcons = fresh.querySelector("body > div[hidden]");
    if (icons && freshIcons) icons.replaceWith(document.adoptNode(freshIcons));
    return;
  }
  // Only the cards that nobody works on, where they are.
  for (const card of main.querySelectorAll("[data-live]")) {
    const other = next.querySelector(`[data-live="${card.dataset.live}"]`);
    if (!isInUse(card)) {
      if (other) card.replaceWith(document.adoptNode(other));
      else card.remove();
    }
  }
}

function note(text) {
  let box = document.getElementById("offline");
  if (!text) {
    if (box) box.remove();
    document.querySelectorAll("main button[data-off]").forEach((button) => {
      button.disabled = false;
      delete button.dataset.off;
    });
    return;
  }
  document.querySelectorAll("main button:not([disabled])").forEach((button) => {
    button.disabled = true;
    button.dataset.off = "1";
  });
  if (box) return;
  box = document.createElement("div");
  box.id = "offline";
  box.className = "note warn";
  box.setAttribute("role", "alert");
  const words = document.createElement("div");
  words.textContent = text;
  box.append(words);
  document.querySelector("main").prepend(box);
}

async function look() {
  if (document.hidden || !document.body.querySelector("main [data-follow]")) return;
  try {
    const answer = await fetch(location.href, { headers: { "x-poll": "1", ...(mark && { "if-none-match": mark }) }, redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") {
      location.reload();
      return;
    }
    if (failing) note("");
    failing = false;
    if (answer.status === 304) return;
    if (!answer.ok) return;
    mark = answer.headers.get("etag") || "";
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    failing = true;
    const german = document.documentElement.lang === "de";
    note(german ? "Keine Verbindung. Was Sie sehen, ist der letzte Stand; anrufen geht." : "No connection. What you see is the last state; calling works.");
  }
}

// The evidence of a card is fetched when it is opened.
document.addEventListener("toggle", async (event) => {
  const fold = event.target;
  if (!(fold instanceof HTMLDetailsElement) || !fold.open || !fold.dataset.load) return;
  const source = fold.dataset.load;
  delete fold.dataset.load;
  try {
    const answer = await fetch(source, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (answer.ok && fresh) fold.querySelector("div").replaceChildren(...document.adoptNode(fresh).childNodes);
  } catch {
    fold.dataset.load = source;
  }
}, true);

// One tap is one action: a second one while the first is sent does nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
  setTimeout(() => delete event.target.dataset.sent, 5000);
});

setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
