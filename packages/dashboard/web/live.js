// Follows the page that it is loaded by: the server sends parts of it again when they have changed.
const connection = document.getElementById("connection");
const source = new EventSource(location.href);

source.addEventListener("open", () => say("live"));
source.addEventListener("error", () => say("not live: the dashboard does not answer"));
source.addEventListener("fragment", ({ data }) => {
  const { id, html } = JSON.parse(data);
  const section = document.getElementById(id);
  if (section !== null && !isBeingUsed(section)) replace(section, html);
});
// A page that was left must not keep a connection: browsers have six of them for a host.
addEventListener("pagehide", () => source.close());

function say(text) {
  if (connection !== null && connection.textContent !== text) connection.textContent = text;
}

/** Somebody is filling something in, or about to press what they opened. */
function isBeingUsed(section) {
  const { activeElement } = document;
  const isTyping = section.contains(activeElement) && activeElement?.matches("input, select, textarea");
  return isTyping || section.querySelector("details.sure[open]") !== null;
}

/** What was opened stays open, and what had the focus has it again. */
function replace(section, html) {
  const open = [...section.querySelectorAll("details")].map((details) => details.open);
  const focused = section.contains(document.activeElement) ? pathTo(document.activeElement, section) : null;
  section.innerHTML = html;
  section.querySelectorAll("details").forEach((details, i) => {
    details.open = open[i] ?? details.open;
  });
  if (focused !== null) section.querySelector(focused)?.focus({ preventScroll: true });
}

function pathTo(element, section) {
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  const all = [...section.querySelectorAll(element.tagName)];
  return `${element.tagName}:nth-of-type(${all.indexOf(element) + 1})`;
}
