import { textOf } from "@cim-replay/core";
import type { QuarantinedEvent } from "@cim-replay/nats";
import { payloadText } from "./payload-text.ts";
import { printable } from "./short-value.ts";
import { renderFacts, renderTable } from "./table.ts";

/** `resolvedBy`: the later run that took it; null where none did. */
export type ListedEvent = QuarantinedEvent & { readonly resolvedBy: string | null };

export function keptListText(events: readonly ListedEvent[]): string {
  return renderTable<ListedEvent>(
    [
      { title: "run", value: ({ runId }) => printable(runId) },
      { title: "domain", value: ({ domain }) => printable(domain) },
      { title: "sequence", align: "right", value: ({ seq }) => String(seq) },
      { title: "state", value: ({ resolvedBy }) => (resolvedBy === null ? "open" : `resolved by ${resolvedBy}`) },
      { title: "kind", value: ({ kind }) => kind },
      { title: "refused by", value: refusedBy },
      { title: "subject", value: ({ subject }) => printable(subject) },
      { title: "aggregate", value: ({ aggregateId }) => printable(aggregateId ?? "–") },
      { title: "bytes", align: "right", value: (event) => String(sizeOf(event)) },
      { title: "reason", value: ({ reason }) => printable(reason) },
    ],
    events,
  );
}

/** One kept event, whole: why it is kept, what it is, and what it holds. */
export function keptEventText(event: QuarantinedEvent): string {
  const headers = Object.entries(event.headers ?? {}).map(
    ([name, value]) => [`  ${printable(name)}`, printable(value)] as const,
  );
  const facts = renderFacts([
    ["run", printable(event.runId)],
    ["unit", printable(event.unit)],
    ["domain", printable(event.domain)],
    ["stream", printable(event.stream)],
    ["sequence", String(event.seq)],
    ["subject", printable(event.subject)],
    ["aggregate", printable(event.aggregateId ?? "–")],
    ["kind", event.kind],
    ["refused by", refusedBy(event)],
    ["reason", printable(event.reason)],
  ]);
  const shown = headers.length === 0 ? "headers: none" : `headers:\n${renderFacts(headers)}`;
  const cut = event.cut ? `, the beginning of ${event.cut.bytes} (SHA-256 of all: ${event.cut.sha256})` : "";
  return [facts, "", shown, "", `payload, ${event.data.byteLength} bytes${cut}:`, payloadText(event.data)].join("\n");
}

export function keptJson(event: QuarantinedEvent, resolvedBy?: string | null): Record<string, unknown> {
  const { runId, domain, unit, stream, seq, subject, aggregateId, kind, reason, projection, target } = event;
  const of = { run_id: runId, domain, unit, stream, sequence: seq, subject, aggregate_id: aggregateId };
  const state = resolvedBy === undefined ? {} : { resolved_by: resolvedBy };
  const by = { projection: projection ?? null, ...(target !== undefined && { target }) };
  return { ...of, kind, ...by, reason, bytes: sizeOf(event), ...state };
}

/** The payload as text where it is text, else as hex. */
export function wholeJson(event: QuarantinedEvent): object {
  const text = textOf(event.data);
  const payload = text === null ? { payload_hex: Buffer.from(event.data).toString("hex") } : { payload: text };
  return { ...keptJson(event), headers: event.headers ?? null, cut: event.cut ?? null, ...payload };
}

/** Whose fold could not take it; what cannot be decoded, none could. */
export function refusedBy({ kind, projection, target }: QuarantinedEvent): string {
  const where = target === undefined ? "" : ` into ${target}`;
  if (kind === "decode") return `any${where}`;
  return `${printable(projection ?? "–")}${where}`;
}

function sizeOf({ cut, data }: QuarantinedEvent): number {
  return cut?.bytes ?? data.byteLength;
}
