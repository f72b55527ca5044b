// Has the page follow what happens: fetches it anew, and puts in what has changed. Without it, the
// page asks the browser to load it again now and then.
"use strict";

const SLOWEST = 30;
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

// Puts a part of the new page in the place of the old one; whoever is on a link of it stays there.
function replace(old, fresh) {
  showTimes(fresh);
  old.dataset.every = fresh.dataset.every ?? "";
  if (old.innerHTML === fresh.innerHTML) return;
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  // Not under the finger of somebody who is just pressing a button.
  if (held && held.matches(":active")) return;
  old.replaceChildren(...fresh.childNodes);
  if (held) {
    const again = held.id && document.getElementById(held.id);
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
    const response = await fetch(location.pathname + location.search, { headers, cache: "no-store" });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (now) replace(old, now);
    }
    failures = 0;
    say("");
  } catch {
    failures = Math.min(failures + 1, 5);
    say("The service can't be reached now; this page is from before.");
  }
  wait();
}

showTimes(document);
wait();
