// Follows the page that it is loaded by: the server sends parts of it again when they have changed.
const connection = document.getElementById("connection");
const AGAIN_MS = 5_000;
let source = null;

// A browser has six connections for a host: a page that nobody sees must not keep one.
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
addEventListener("pagehide", leave);
addEventListener("pageshow", follow);
if (!document.hidden) follow();

function follow() {
  if (source !== null) return;
  source = new EventSource(location.href);
  source.addEventListener("open", () => say("live"));
  source.addEventListener("fragment", ({ data }) => show(JSON.parse(data)));
  source.addEventListener("error", () => {
    say("not live: the dashboard does not answer");
    // After an answer that is an error, such as a proxy's, the browser does not try again by itself.
    if (source?.readyState !== EventSource.CLOSED) return;
    leave();
    setTimeout(() => document.hidden || follow(), AGAIN_MS);
  });
}

function leave() {
  source?.close();
  source = null;
}

function show({ id, html }) {
  const section = document.getElementById(id);
  const news = document.createElement("template");
  news.innerHTML = html;
  if (section !== null) morphChildren(section, news.content);
}

function say(text) {
  if (connection !== null && connection.textContent !== text) connection.textContent = text;
}

/** Only what differs is touched: focus, what is typed, what is opened and where one has scrolled to stay as they are. */
function morphChildren(from, to) {
  const wanted = [...to.childNodes];
  wanted.forEach((next, i) => {
    const current = from.childNodes[i];
    if (current === undefined || isNewRow(from, current, next)) from.insertBefore(next, current ?? null);
    else if (!current.isEqualNode(next)) morph(current, next);
  });
  while (from.childNodes.length > wanted.length) from.lastChild.remove();
}

function morph(current, next) {
  if (current.nodeName !== next.nodeName || current.dataset?.key !== next.dataset?.key) {
    current.replaceWith(next);
  } else if (current.nodeType === Node.ELEMENT_NODE) {
    morphAttributes(current, next);
    morphChildren(current, next);
  } else {
    current.data = next.data;
  }
}

function morphAttributes(current, next) {
  for (const { name, value } of next.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  for (const { name } of [...current.attributes]) {
    // Whether a person has opened it is theirs.
    if (!next.hasAttribute(name) && name !== "open") current.removeAttribute(name);
  }
}

/** A row that came in before others pushes them down, so that nobody's focus comes to lie on another row. */
function isNewRow(from, current, next) {
  const key = next.dataset?.key;
  if (key === undefined || current.dataset?.key === key) return false;
  return from.querySelector(`:scope > [data-key="${CSS.escape(key)}"]`) === null;
}
