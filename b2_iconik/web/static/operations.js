// Has the page follow what happens: fetches it anew, and puts in what has changed. Without it, the
// page asks the browser to load it again now and then.
"use strict";

const SLOWEST = 30;
// With the notice about what was just done, which stays until the page is left.
const address = location.pathname + location.search;
let failures = 0;

function showTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      each.title = each.dateTime;
      each.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    }
  }
}

function say(text) {
  const live = document.getElementById("live");
  if (live.textContent !== text) live.textContent = text;
  live.hidden = text === "";
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
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
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

function wait() {
  const pauses = [...document.querySelectorAll("[data-live][data-every]")]
    .map((each) => Number(each.dataset.every))
    .filter((seconds) => seconds > 0);
  if (pauses.length === 0 && failures === 0) return;
  const pause = Math.min(SLOWEST, Math.min(...pauses, SLOWEST) * 2 ** failures);
  setTimeout(refresh, pause * 1000);
}

async function refresh() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", refresh, { once: true });
    return;
  }
  try {
    const headers = { Accept: "text/html" };
    const response = await fetch(address, { headers, cache: "no-store" });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (now) renew(old, now);
    }
    failures = 0;
    say("");
  } catch {
    failures = Math.min(failures + 1, 5);
    say("The service cannot be reached. This page may be out of date.");
  }
  wait();
}

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !confirm(question)) event.preventDefault();
});

// A reloaded or shared page must not repeat the notice.
const lasting = new URL(location.href);
lasting.searchParams.delete("notice");
history.replaceState(history.state, "", lasting);

showTimes(document);
wait();
