import { type Html, html } from "../html.ts";

/** A part of a page that is sent again by itself when it changes. */
interface Fragment {
  readonly id: string;
  readonly body: Html;
}

export interface Page {
  readonly title: string;
  readonly fragments: readonly Fragment[];
  /** Whether it is worth following: without, no stream of changes is opened. */
  readonly isLive: boolean;
}

/** Who looks, and what they may do. */
export interface Viewer {
  readonly name: string;
  readonly canAct: boolean;
  /** Goes back with every form. */
  readonly csrfToken: string;
}

const LINKS = [
  ["/", "Runs"],
  ["/new", "New replay"],
  ["/queues/", "Queue"],
  ["/audit", "Audit log"],
] as const;

/** The whole document. `path` is the page's own, to mark it among the links. */
export function documentOf({ title, fragments, isLive }: Page, viewer: Viewer, path: string): Html {
  const links = LINKS.filter(([href]) => href !== "/new" || viewer.canAct).map(
    ([href, name]) => html`<a href="${href}"${href === path ? html` aria-current="page"` : null}>${name}</a>`,
  );
  const who = viewer.canAct ? viewer.name : `${viewer.name}, read-only`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · cim-replay</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/style.css">
${isLive ? html`<script type="module" src="/assets/live.js"></script>` : null}
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header class="bar"><strong>cim-replay</strong><nav aria-label="Pages">${links}</nav>
<span class="soft">${isLive ? html`<span id="connection" role="status"></span> · ` : null}${who}</span></header>
<main id="main" tabindex="-1"${isLive ? html` data-live` : null}>
${fragments.map(({ id, body }) => html`<section id="${id}">${body}</section>\n`)}
</main>
</body>
</html>
`;
}

/** A page without anything that changes. */
export function plainPage(title: string, body: Html): Page {
  return { title, fragments: [{ id: "content", body }], isLive: false };
}
