import { createHash } from "node:crypto";
import { UsageError } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { type GeneratedEvent, generateEvents } from "./generate-events.ts";
import type { GeneratorOptions } from "./generator-options.ts";
import { checkLives } from "./life-checker.fixture.ts";

const OPTIONS: GeneratorOptions = {
  domains: ["graph", "workflow", "person"],
  events: 10_000,
  aggregates: 300,
  skew: 1,
  seed: 42,
};

interface Envelope {
  readonly event_id: string;
  readonly aggregate_id: string;
  readonly sequence: number;
  readonly event_type: string;
  readonly timestamp: string;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly event_cid: string;
  readonly previous_cid: string | null;
}

function textOf({ data }: GeneratedEvent): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(data);
}

function envelopes(options: GeneratorOptions): Envelope[] {
  return Array.from(generateEvents(options), (event) => JSON.parse(textOf(event)) as Envelope);
}

function digest(options: GeneratorOptions): string {
  const sha256 = createHash("sha256");
  for (const { subject, data } of generateEvents(options)) sha256.update(subject).update("\n").update(data);
  return sha256.digest("hex");
}

function countByAggregate(options: GeneratorOptions): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { domain, aggregateId } of generateEvents(options)) {
    const key = `${domain} ${aggregateId}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

describe("generated events", () => {
  test("are the same bytes for the same seed on every machine, and others for another", () => {
    expect(digest(OPTIONS)).toBe("da364c97ae048628fd41388defe78f8d776b1f8bf19e966fcabc2dc94df6ff72");
    expect(digest({ ...OPTIONS, seed: 43 })).not.toBe(digest(OPTIONS));
  });

  test.each([0, 1, 1.5])("are valid lives of graphs, workflows and persons at skew %d", (skew) => {
    const events = generateEvents({ ...OPTIONS, events: 30_000, skew });
    const seen = checkLives(events);
    for (const type of ["GraphCreated", "NodeRemoved", "EdgeRemoved", "GraphArchived", "StepFailed"]) {
      expect(seen).toContain(type);
    }
    for (const type of ["WorkflowCompleted", "WorkflowFailed", "WorkflowPaused", "WorkflowCancelled"]) {
      expect(seen).toContain(type);
    }
    expect(seen).toContain("PersonDeactivated");
  });

  test("have subjects that agree with their envelopes, and names of their own", () => {
    const ids = new Set<string>();
    for (const event of generateEvents(OPTIONS)) {
      const envelope = JSON.parse(textOf(event)) as Envelope;
      expect(event.subject).toBe(`events.${event.domain}.${envelope.aggregate_id}.${envelope.event_type}`);
      ids.add(envelope.event_id);
    }
    expect(ids.size).toBe(OPTIONS.events);
  });

  test("hold whole chains of content ids over their own bytes", () => {
    const last = new Map<string, string>();
    for (const event of generateEvents(OPTIONS)) {
      const text = textOf(event);
      const envelope = JSON.parse(text) as Envelope;
      expect(envelope.previous_cid).toBe(last.get(envelope.aggregate_id) ?? null);
      const before = text.slice(0, text.indexOf(',"event_cid"'));
      expect(envelope.event_cid).toBe(slowCid(`${before},"previous_cid":${JSON.stringify(envelope.previous_cid)}}`));
      last.set(envelope.aggregate_id, envelope.event_cid);
    }
  });

  test("are caused by the event before them in their burst", () => {
    const lastOfBurst = new Map<string, string>();
    for (const { event_id, correlation_id, causation_id } of envelopes(OPTIONS)) {
      expect(causation_id).toBe(lastOfBurst.get(correlation_id) ?? null);
      lastOfBurst.set(correlation_id, event_id);
    }
    expect(lastOfBurst.size).toBeLessThan(OPTIONS.events / 2);
  });

  test("come in order of time, over days", () => {
    const times = envelopes(OPTIONS).map(({ timestamp }) => timestamp);
    expect(times.every((time) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time))).toBe(true);
    expect(times.toSorted()).toEqual(times);
    const spanMs = Date.parse(times.at(-1) ?? "") - Date.parse(times[0] ?? "");
    expect(spanMs / 86_400_000).toBeGreaterThan(4);
  });
});

describe("aggregates", () => {
  test.each([0, 1, 2])("all have events at skew %d, split evenly over the domains", (skew) => {
    const counts = countByAggregate({ ...OPTIONS, events: 1_000, aggregates: 500, skew });
    expect(counts.size).toBe(500);
    const graphs = [...counts].filter(([key]) => key.startsWith("graph "));
    expect(graphs).toHaveLength(167);
    expect(graphs.reduce((sum, [, count]) => sum + count, 0)).toBe(334);
  });

  test("share the events by Zipf's law", () => {
    const ranked = (skew: number) =>
      [...countByAggregate({ ...OPTIONS, domains: ["person"], events: 50_000, aggregates: 1_000, skew }).values()].sort(
        (a, b) => b - a,
      );
    const uniform = ranked(0);
    expect((uniform[0] ?? 0) / (uniform.at(-1) ?? 1)).toBeLessThan(5);
    const zipf = ranked(1);
    for (const rank of [2, 5, 10, 50]) {
      const ratio = (zipf[0] ?? 0) / (zipf[rank - 1] ?? 1);
      expect(ratio / rank).toBeGreaterThan(0.7);
      expect(ratio / rank).toBeLessThan(1.4);
    }
  });
});

test("events are filled up to the bytes asked for, and are lean where few are", () => {
  for (const [eventBytes, most] of [
    [300, 350],
    [700, 710],
    [4_096, 4_096],
  ] as const) {
    const sizes = Array.from(generateEvents({ ...OPTIONS, eventBytes }), ({ data }) => data.byteLength);
    expect(Math.min(...sizes)).toBeGreaterThan(eventBytes - 12);
    expect(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toBeLessThanOrEqual(most);
  }
});

test("any other domain works as well", () => {
  const [first] = generateEvents({ ...OPTIONS, domains: ["location"], events: 1 });
  expect(first?.subject).toMatch(/^events\.location\.[0-9a-f-]{36}\.LocationCreated$/);
});

test("options that cannot be are refused together", () => {
  const wrong = { ...OPTIONS, domains: ["a b", "c"], aggregates: 1, skew: -1 };
  expect(() => [...generateEvents(wrong)]).toThrow(UsageError);
  expect(() => [...generateEvents(wrong)]).toThrow(/"a b".*aggregates is 1.*skew is -1/);
});

/** CIDv1, raw, SHA-256, written another way: by the digits of one large number. */
function slowCid(content: string): string {
  const bytes = `01551220${createHash("sha256").update(content, "utf8").digest("hex")}`;
  const digits = (BigInt(`0x${bytes}`) << 2n).toString(32).padStart(58, "0");
  return `b${[...digits].map((digit) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(digit, 32)]).join("")}`;
}
