import { formatSize } from "@cim-replay/core";
import { type Html, html } from "../html.ts";
import type { Preview, ReplayForm, StartedProcess } from "../ports.ts";
import { type Page, plainPage, type Viewer } from "./page.ts";
import { actionForm, count, duration, facts, moment, table, counted } from "./parts.ts";

interface Field {
  /** Of the flag that it stands for. */
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly choices?: readonly string[];
}

/** What can be filled in; the names are those of `domain-replay`'s flags. */
export const REPLAY_FIELDS: readonly Field[] = [
  { name: "domain", label: "domain", hint: "which projections are rebuilt" },
  { name: "target", label: "target", hint: "bucket; empty: the projections' own" },
  { name: "aggregate-id", label: "aggregate", hint: "only this one; empty: all" },
  { name: "parallel", label: "parallel", hint: "most partitions at work; empty: one a core" },
  { name: "to-seq", label: "up to sequence", hint: "empty: the last" },
  { name: "to-time", label: "up to time", hint: "2026-01-31T12:00:00Z; empty: now" },
  { name: "skip-errors", label: "skip errors", hint: "events that may be bad; empty: none" },
  {
    name: "certify",
    label: "certify",
    hint: "how much is proved; empty: as set",
    choices: ["", "none", "counts", "content", "full"],
  },
  { name: "prune", label: "prune", hint: "removes entries that no event accounts for", choices: ["no", "yes"] },
];

export interface NewReplay {
  readonly form: ReplayForm;
  /** Why it cannot be planned. */
  readonly mistake: string | null;
  readonly preview: Preview | null;
  readonly processes: readonly StartedProcess[];
}

/** A form that shows the plan before anything can be begun. */
export function newReplayPage({ form, mistake, preview, processes }: NewReplay, viewer: Viewer): Page {
  const body = html`<h1>New replay</h1>
${mistake === null ? null : html`<p class="trouble" role="alert">${mistake}</p>`}
${actionForm(viewer, "/new/preview", html`<div class="fields">${REPLAY_FIELDS.map((field) => fieldOf(field, form))}</div><p><button>Show the plan</button> <span class="soft">writes nothing</span></p>`)}
${preview ? previewOf(preview, form, viewer) : null}
${processes.length > 0 ? processesOf(processes) : null}`;
  return plainPage("New replay", body);
}

function fieldOf({ name, label, hint, choices }: Field, form: ReplayForm): Html {
  const value = form[name] ?? "";
  const input = choices
    ? html`<select name="${name}" aria-describedby="${name}-hint">${choices.map((choice) => html`<option${choice === value ? html` selected` : null}>${choice}</option>`)}</select>`
    : html`<input name="${name}" value="${value}" aria-describedby="${name}-hint"${name === "domain" ? html` required` : null}>`;
  return html`<label>${label} ${input} <span class="soft" id="${name}-hint">${hint}</span></label>`;
}

function previewOf({ plan, command }: Preview, form: ReplayForm, viewer: Viewer): Html {
  const { stream, range, expected, read, estimate, source, units, partitions, target, warnings } = plan;
  const hidden = Object.entries(form).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return html`<section class="card" aria-label="The plan"><h2>The plan</h2>
${warnings.map((warning) => html`<p class="trouble">${warning}</p>`)}
${facts([
  ["stream", stream.name],
  ["sequences", `${count(range.fromSeq)} to ${count(range.toSeq)}`],
  ["events", expected ? count(expected.events) : `at most ${count(read.messages)}`],
  ["aggregates", expected ? count(expected.aggregates) : "–"],
  ["reads", `${count(read.messages)} messages, ${formatSize(estimate.bytes)}`],
  ["work", `${counted(partitions.length, "partition")}, ${counted(units.length, "unit")}`],
  ["source", `${source.kind}: ${source.reason}`],
  ["writes into", target.bucket],
  ["takes about", duration(estimate.seconds * 1000)],
])}
<p>The same in a terminal: <code>${command}</code></p>
${actionForm(viewer, "/new/start", html`${hidden}<button>Start this replay</button>`)}</section>`;
}

function processesOf(processes: readonly StartedProcess[]): Html {
  return html`<h2>Started here</h2>${table(
    "newest first",
    [
      { title: "begun (UTC)", cell: ({ startedAt }) => moment(startedAt) },
      { title: "by", cell: ({ who }) => who },
      { title: "command", cell: ({ command }) => html`<code>${command}</code>` },
      { title: "ended", cell: ({ exit }) => exit ?? "at work" },
      {
        title: "said",
        cell: ({ output }) =>
          output.length === 0
            ? ""
            : html`<details><summary>${output.at(-1)}</summary><pre tabindex="0">${output.join("\n")}</pre></details>`,
      },
    ],
    processes,
  )}`;
}
