// Has the page follow what happens: fetches it anew, and puts in what has changed. Without it, the
// page asks the browser to load it again now and then.
"use strict";

const SLOWEST = 30;
// With the notice about what was just done, which stays until the page is left.
// The origin has no name and password, which some browsers keep in the address of the page and
// refuse in a request.
const address = location.origin + location.pathname + location.search;
const PAUSED = "refresh is paused";
let failures = 0;
let timer = 0;
// The version of the page that the service sent last.
let version = null;

function showTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      each.title = each.dateTime;
      each.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    }
  }
}

// Touches nothing that stays as it is.
function show(element, text, isShown) {
  if (element.textContent !== text) element.textContent = text;
  if (element.hidden === isShown) element.hidden = !isShown;
}

function say(text) {
  show(document.getElementById("live"), text, text !== "");
}

function keyOf(node) {
  return node.id || node.dataset?.key || "";
}

// What stands for a new node among the old ones, from one of them on.
function counterpart(first, fresh) {
  for (let each = first; each; each = each.nextSibling) {
    if (each.nodeName === fresh.nodeName && keyOf(each) === keyOf(fresh)) return each;
  }
  return null;
}

// Makes a node like a new one, and touches only what differs: so what is selected stays so, whoever
// is on a link stays there, and no screen reader says again what it has said.
function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // What somebody has opened stays open.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let at = old.firstChild;
  for (const each of [...fresh.childNodes]) {
    const same = counterpart(at, each);
    if (same) merge(same, each);
    if (same && same === at) at = at.nextSibling;
    else old.insertBefore(same ?? each, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// Puts into a part of the page what has changed.
function renew(old, fresh) {
  showTimes(fresh);
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  // Not under the finger of somebody who is just pressing a button.
  if (held && held.matches(":active")) return;
  merge(old, fresh);
  if (held && held !== document.activeElement) {
    const again = held.isConnected ? held : held.id && document.getElementById(held.id);
    (again || document.getElementById("main")).focus({ preventScroll: true });
  }
}

function isPaused() {
  return sessionStorage.getItem(PAUSED) !== null;
}

// Without a pause if somebody has paused it, or if there is nothing left to follow.
function wait() {
  clearTimeout(timer);
  const pauses = [...document.querySelectorAll("[data-live][data-every]")]
    .map((each) => Number(each.dataset.every))
    .filter((seconds) => seconds > 0);
  const button = document.getElementById("pause");
  const isNeeded = pauses.length > 0 || failures > 0;
  show(button, isPaused() ? "Resume" : "Pause refresh", isNeeded);
  if (!isNeeded || isPaused()) return;
  const pause = Math.min(SLOWEST, Math.min(...pauses, SLOWEST) * 2 ** failures);
  timer = setTimeout(refresh, pause * 1000);
}

async function refresh() {
  if (isPaused()) return;
  if (document.hidden) {
    document.addEventListener("visibilitychange", refresh, { once: true });
    return;
  }
  try {
    const headers = { Accept: "text/html" };
    if (version) headers["If-None-Match"] = version;
    const response = await fetch(address, { headers, cache: "no-store" });
    const isSame = response.status === 304;
    if (!response.ok && !isSame) throw new Error(`answered ${response.status}`);
    if (!isSame) {
      version = response.headers.get("ETag");
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(old.id);
        if (now) renew(old, now);
      }
    }
    failures = 0;
    say("");
  } catch {
    failures = Math.min(failures + 1, 5);
    say("The service cannot be reached. This page may be out of date.");
  }
  wait();
}

document.getElementById("pause").addEventListener("click", () => {
  if (isPaused()) sessionStorage.removeItem(PAUSED);
  else sessionStorage.setItem(PAUSED, "yes");
  wait();
  if (!isPaused()) refresh();
});

function closeMenu(isLeft) {
  const menu = document.querySelector(".menu[open]");
  if (menu && isLeft(menu)) menu.open = false;
  return menu;
}

document.addEventListener("click", (event) => {
  closeMenu((menu) => !menu.contains(event.target));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenu(() => true)?.querySelector("summary").focus();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !confirm(question)) event.preventDefault();
});

// On the page of what is on LucidLink: selects all its assets, and says how many are selected.
function followSelection() {
  const all = document.getElementById("all");
  if (!all) return;
  const every = [...document.querySelectorAll("input[name=row][type=checkbox]")];
  const count = () => {
    const number = every.filter((each) => each.checked).length;
    all.checked = number === every.length;
    all.indeterminate = number > 0 && !all.checked;
    for (const each of all.form.querySelectorAll("button")) each.disabled = number === 0;
    document.getElementById("selected").textContent = `${number} selected`;
  };
  document.getElementById("all-label").hidden = false;
  all.addEventListener("change", () => {
    for (const each of every) each.checked = all.checked;
    count();
  });
  for (const each of every) each.addEventListener("change", count);
  // Also when the browser has restored what was selected.
  addEventListener("pageshow", count);
}

// A reloaded or shared page must not repeat the notice.
const lasting = new URL(location.href);
lasting.searchParams.delete("notice");
// Without the origin: the address of the page may have a name and a password, which must stay.
history.replaceState(history.state, "", lasting.pathname + lasting.search + lasting.hash);

showTimes(document);
followSelection();
wait();
