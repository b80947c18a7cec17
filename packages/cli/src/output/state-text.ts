import { formatCount, formatTime } from "@cim-replay/core";
import { type EventChange, pathText, type StateAt, type StateAtTask } from "@cim-replay/verifier";
import { exactJson, printable, shortValue } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

const MOST_CHANGES_AN_EVENT = 20;

export interface StateQuestion {
  readonly domain: string;
  readonly aggregateId: string;
  readonly at: StateAtTask["at"];
  readonly projection: { readonly name: string; readonly sha256: string };
  readonly history: boolean;
}

/** The state as JSON, below it what each event changed where that was asked for. */
export function stateText(state: StateAt, question: StateQuestion): string {
  const { domain, aggregateId, history } = question;
  const { stream, range, last } = state;
  const read =
    range.toSeq < range.fromSeq
      ? "nothing yet"
      : `sequences ${formatCount(range.fromSeq)} to ${formatCount(range.toSeq)}`;
  const facts: [string, string][] = [
    ["stream", `${stream.name}, ${read}`],
    ["projection", `${question.projection.name} (SHA-256 ${question.projection.sha256.slice(0, 12)}…)`],
    ["events", formatCount(state.events)],
  ];
  if (last) facts.push(["last event", `${printable(last.type)}, sequence ${formatCount(last.seq)}, ${last.time}`]);
  return [
    `aggregate ${printable(aggregateId)} of ${domain} at ${atText(question.at)}`,
    renderFacts(facts),
    "",
    last === null ? "No event of it up to then: it had not begun." : printableLines(exactJson(state.value, 2)),
    ...(history && last !== null ? ["", historyText(state.history)] : []),
  ].join("\n");
}

function atText(at: StateAtTask["at"]): string {
  if ("seq" in at) return `sequence ${formatCount(at.seq)}`;
  return `${formatTime(at.timeMs)}, by the ${at.basis === "event" ? "events' own times" : "server's receipt"}`;
}

interface ChangeRow {
  readonly seq: string;
  readonly time: string;
  readonly type: string;
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

function historyText(history: readonly EventChange[]): string {
  return renderTable<ChangeRow>(
    [
      { title: "sequence", align: "right", value: ({ seq }) => seq },
      { title: "time", value: ({ time }) => time },
      { title: "event", value: ({ type }) => type },
      { title: "path", value: ({ path }) => path },
      { title: "before", value: ({ before }) => before },
      { title: "after", value: ({ after }) => after },
    ],
    history.flatMap(rowsOf),
  );
}

/** The event stands in its first row only. */
function rowsOf({ seq, time, type, changes }: EventChange): ChangeRow[] {
  const rows = changes.slice(0, MOST_CHANGES_AN_EVENT).map(({ path, left, right }) => ({
    path: printable(pathText(path)),
    before: shortValue(left),
    after: shortValue(right),
  }));
  const left = changes.length - rows.length;
  if (left > 0) rows.push({ path: `… and ${formatCount(left)} more places`, before: "", after: "" });
  if (rows.length === 0) rows.push({ path: "(nothing)", before: "", after: "" });
  const event = { seq: formatCount(seq), time: printable(time), type: printable(type) };
  return rows.map((row, at) => ({ ...(at === 0 ? event : { seq: "", time: "", type: "" }), ...row }));
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

export function stateJson(state: StateAt, question: StateQuestion): object {
  const { domain, aggregateId, at, projection, history } = question;
  return {
    domain,
    aggregate_id: aggregateId,
    key: state.key,
    at: "seq" in at ? { seq: at.seq } : { time: formatTime(at.timeMs), time_basis: at.basis },
    stream: { name: state.stream.name, from_seq: state.range.fromSeq, to_seq: state.range.toSeq },
    projection,
    events: state.events,
    last_event: state.last,
    undecodable: state.nameless,
    state: state.last === null ? null : state.value,
    ...(history && {
      history: state.history.map(({ seq, time, type, changes }) => ({
        ...{ seq, time, type },
        changes: changes.map(({ path, left, right }) => ({ path: pathText(path), before: left, after: right })),
      })),
    }),
  };
}
