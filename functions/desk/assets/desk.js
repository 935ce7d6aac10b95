// What happens shows without reloading: the page is fetched again every three seconds while it is looked at, and the parts
// that changed are replaced. A part that is in use stays as it is. Every action works without this.
"use strict";

const EVERY = 3000;
let mark = "";
let failing = false;

function isInUse(part) {
  return part.contains(document.activeElement) || part.querySelector("input:checked:not([data-checked]), details.fold[open]:not(.choice)") !== null;
}

/** The parts of a page by what they are: a card by its appointment, all else by its kind and its place among these. */
function keyed(main) {
  const seen = {};
  return [...main.children].map((part) => {
    const kind = `${part.tagName} ${part.className}`;
    seen[kind] = (seen[kind] ?? 0) + 1;
    return [part.dataset.live ?? `${kind} ${seen[kind]}`, part];
  });
}

/** Shows what is new, but for the parts that are in use, which stay where and as they are. Returns whether that was all. */
function merge(main, next) {
  const old = new Map(keyed(main));
  const used = [...main.children].filter(isInUse);
  let passed = 0;
  let isWhole = true;
  for (const [key, fresh] of keyed(next)) {
    const now = old.get(key);
    const isSame = now !== undefined && now.isEqualNode(fresh);
    old.delete(key);
    if (used.includes(now)) {
      passed = Math.max(passed, used.indexOf(now) + 1);
      isWhole = isWhole && isSame;
      continue;
    }
    if (now && !isSame) now.remove();
    main.insertBefore(isSame ? now : document.adoptNode(fresh), used[passed] ?? null);
  }
  for (const gone of old.values()) {
    if (used.includes(gone)) isWhole = false;
    else gone.remove();
  }
  return isWhole;
}

function replace(fresh) {
  const main = document.querySelector("main");
  const next = fresh.querySelector("main");
  if (!next) {
    location.reload();
    return false;
  }
  const [choice, freshChoice] = [main, next].map((part) => part.querySelector("details.choice"));
  if (choice && freshChoice) freshChoice.open = choice.open;
  const [menu, freshMenu] = [document, fresh].map((page) => page.querySelector("nav.nav"));
  if (menu && freshMenu && !menu.contains(document.activeElement)) menu.replaceWith(document.adoptNode(freshMenu));
  const icons = document.querySelector("body > div[hidden] svg");
  for (const icon of fresh.querySelectorAll("body > div[hidden] symbol")) {
    if (!document.getElementById(icon.id)) icons.append(document.adoptNode(icon));
  }
  return main.innerHTML === next.innerHTML || merge(main, next);
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
    const isWhole = replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    // What could not be shown yet is asked for again.
    if (isWhole) mark = answer.headers.get("etag") || "";
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
