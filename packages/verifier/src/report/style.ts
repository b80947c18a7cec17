/** The report's only style sheet; its hash is in the page's security policy. No fonts, no images: nothing is fetched. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #16191d; --soft: #59626d; --line: #dde1e6;
  --pass: #2f8f5b; --error: #c8322b; --warning: #b77700; --info: #3b6fb5; --skip: #c3c9d0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121519; --card: #1b1f25; --ink: #e8ebef; --soft: #9aa4b0; --line: #313842;
    --pass: #4fb87f; --error: #ff7a70; --warning: #e6ae4a; --info: #7fb0f0; --skip: #47505b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 58rem; margin: 0 auto; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
code { font: .875em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; margin: 0 0 .9rem; }
.verdict { border-left: .5rem solid var(--pass); }
.verdict.fails { border-left-color: var(--error); }
.verdict h1 { color: var(--pass); }
.verdict.fails h1 { color: var(--error); }
.note { color: var(--warning); }
.rule { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem .75rem; padding: .55rem 0; border-top: 1px solid var(--line); }
.rule:first-child { border-top: 0; padding-top: 0; }
.rule:last-child { padding-bottom: 0; }
.rule .name { overflow-wrap: anywhere; }
.rule .numbers { color: var(--soft); font-variant-numeric: tabular-nums; text-align: right; }
.rule svg { grid-column: 1 / -1; display: block; width: 100%; height: .6rem; }
.pass { fill: var(--pass); } .error { fill: var(--error); } .warning { fill: var(--warning); }
.info { fill: var(--info); } .skip { fill: var(--skip); }
.badge { font-size: .78rem; font-weight: 600; white-space: nowrap; }
.badge.error { color: var(--error); } .badge.warning { color: var(--warning); } .badge.info { color: var(--info); }
.badge.pass { color: var(--pass); } .badge.skip { color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .85rem; color: var(--soft); margin: 0 0 .75rem; }
.legend svg { width: .7rem; height: .7rem; margin-right: .35rem; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .1rem .75rem; }
ul { list-style: none; margin: .6rem 0 0; padding: 0; }
li { border-top: 1px solid var(--line); padding: .45rem 0; overflow-wrap: anywhere; }
li code { display: block; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 34rem) {
  body { padding: 1rem .6rem 2rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .6rem; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --pass: #1f6f43; --error: #a81f19; --warning: #8a5a00; --info: #2a558f; --skip: #ccc;
  }
  body { padding: 0; font-size: 11pt; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, .head { break-after: avoid; }
  .rule, li { break-inside: avoid; }
}
`;
