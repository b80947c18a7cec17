import { canonicalJson } from "@cim-replay/core";
import { deleteEntry, getEntry, QuarantineStore } from "@cim-replay/nats";
import { readAllMessages } from "@cim-replay/testkit";
import {
  type Certificate,
  generateSigningKeys,
  type Level,
  parseCertificate,
  signCertificate,
  verifyAggregate,
  verifyDomain,
  verifySignature,
} from "@cim-replay/verifier";
import { Kvm } from "@nats-io/kv";
import { describe, expect, it } from "vitest";
import type { Stage } from "../support/stage.ts";
import {
  boom,
  certify,
  events,
  foundIn,
  garbage,
  withVerifyStage,
  staged,
  verdicts,
  verifyStaged,
} from "../support/verify-stage.ts";

let stage: Stage;
let target: string;
withVerifyStage((opened, fresh) => {
  stage = opened;
  target = fresh;
});

describe("what was done to the stream or the record", () => {
  /** The stream again with other messages, and a ledger that says it is the same one. */
  async function certifyOver(tamper: (messages: Copied[]) => Copied[], level: Level = "full") {
    await stage.client.jsm.streams.delete(stage.stream);
    await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
    await stage.publish(events(300, 6));
    const run = await stage.run({ target, parallel: 3 });
    const messages: Copied[] = [];
    for await (const { subject, data } of readAllMessages(stage.client, stage.stream)) {
      messages.push({ subject, text: Buffer.from(data).toString() });
    }
    await stage.client.jsm.streams.delete(stage.stream);
    await stage.client.jsm.streams.add({ name: stage.stream, subjects: [`${stage.stream}.>`] });
    for (const { subject, text } of tamper(messages)) await stage.client.js.publish(subject, text);
    const { created } = await stage.client.jsm.streams.info(stage.stream);
    const forged = await certify(stage, run, level, ({ plan }) => ({
      plan: { ...plan, stream: { ...plan.stream, created } },
    }));
    return { forged, run };
  }
  interface Copied {
    readonly subject: string;
    readonly text: string;
  }
  const kinds = ({ discrepancies }: Certificate) => Object.keys(discrepancies.byKind).sort();

  it("is nothing where the messages are the same ones; but the true record knows another stream", async () => {
    const { forged, run } = await certifyOver((messages) => messages);
    expect(foundIn(forged)).toEqual([]);
    const honest = await certify(stage, run);
    expect(kinds(honest)).toEqual(["source"]);
    expect(verdicts(honest)).toMatchObject({ coverage: "fails", content: "not compared", refold: "not compared" });
  });

  it("is an event altered at equal length", async () => {
    const alter = ({ subject, text }: Copied) => ({ subject, text: text.replace('"n":150', '"n":151') });
    const { forged } = await certifyOver((messages) => messages.map(alter));
    expect(kinds(forged)).toEqual(["content", "value"]);
    expect(forged.discrepancies.byKind).toEqual({ content: 1, value: 1 });
    expect(foundIn(forged)).toContain("value shop.a0");
    expect(foundIn((await certifyOver((messages) => messages.map(alter), "content")).forged)).toHaveLength(1);
  });

  it("is two events swapped", async () => {
    const swap = (messages: Copied[]) => {
      const [a, b] = [messages[12], messages[18]];
      return messages.map((message, i) => (i === 12 ? (b ?? message) : i === 18 ? (a ?? message) : message));
    };
    expect(kinds((await certifyOver(swap)).forged)).toEqual(["content", "value"]);
  });

  it("is one event dropped and another doubled", async () => {
    const double = (messages: Copied[]) =>
      messages.map((message, i) => (i === 12 ? (messages[18] ?? message) : message));
    expect(kinds((await certifyOver(double)).forged)).toEqual(["content", "value"]);
  });

  it("is a message deleted after the run", async () => {
    await stage.publish(events(100, 5));
    const run = await stage.run({ target });
    const { last_seq: last } = (await stage.client.jsm.streams.info(stage.stream)).state;
    await stage.client.jsm.streams.deleteMessage(stage.stream, last - 5);
    const certificate = await certify(stage, run);
    expect(kinds(certificate)).toEqual(["content", "source"]);
    expect(certificate.checks.counts.verdict).toBe("not compared");
  });

  it("is a partition's digest replaced in the record", async () => {
    await stage.publish(events(100, 5));
    const run = await stage.run({ target, parallel: 2 });
    const certificate = await certify(stage, run, "content", ({ units }) => ({
      units: units.map((unit) => ({
        ...unit,
        contentByPartition: unit.contentByPartition.map((each) => ({ ...each, sha256: "00".repeat(32) })),
        entriesByPartition: unit.entriesByPartition.map((each) => ({ ...each, sha256: "00".repeat(32) })),
      })),
    }));
    expect(foundIn(certificate)).toEqual(["content 0", "content 1", "entries 0", "entries 1"]);
  });

  it("is a good event put into the quarantine, and a bad one taken from it", async () => {
    await stage.publish([...events(20, 2), boom("a1"), garbage("a0")]);
    const run = await stage.run({ target, skipErrors: 2 });
    const { last_seq: last } = (await stage.client.jsm.streams.info(stage.stream)).state;
    const store = await QuarantineStore.open(stage.client, { create: false });
    const bad = {
      runId: run.id,
      domain: "shop",
      unit: "u1",
      stream: stage.stream,
      kind: "evolve",
      reason: "boom",
    } as const;
    const subject = `${stage.stream}.shop.a1.Added`;
    await store?.put({ ...bad, seq: last - 2, subject, aggregateId: "a1", data: new Uint8Array(), headers: undefined });
    const hidden = await certify(stage, run);
    expect(foundIn(hidden)).toEqual(["count shop.a1", "quarantine shop.a1", "unit -", "value shop.a1"]);
    await stage.client.jsm.streams.purge("CIM_REPLAY_QUARANTINE", { filter: `_CIM_REPLAY.quarantine.${run.id}.*` });
    const emptied = await certify(stage, run);
    expect(foundIn(emptied)).toEqual(["quarantine shop.a0", "stale shop.a1", "unit -"]);
  });
});

describe("a bucket that no replay wrote", () => {
  it("is compared with all that the stream has, whatever the order of keys in its values", async () => {
    await stage.publish(events(60, 3));
    await stage.run({ target });
    const other = `${target}-other`;
    await new Kvm(stage.client.js).create(other);
    const kv = await new Kvm(stage.client.js).open(other);
    for (const [key, text] of await stage.entries(target)) {
      await kv.put(key, JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()), null, 1));
    }
    const right = await verifyStaged(stage, { bucket: other });
    expect(foundIn(right)).toEqual([]);
    expect(right.checks.readBack).toMatchObject({ evidence: { foreign: 3 }, why: /own provenance only/ });
    expect(right.checks.refold.evidence.values).toBe(3);
    await kv.put("shop.a1", '{"total":1}');
    await kv.put("shop.ghost", "{}");
    await kv.delete("shop.a2");
    expect(foundIn(await verifyStaged(stage, { bucket: other }))).toEqual([
      "extra shop.ghost",
      "missing shop.a2",
      "value shop.a1",
    ]);
  });

  it("is held to its provenance where the ledger is gone", async () => {
    await stage.publish(events(60, 3));
    await stage.run({ target });
    await stage.publish(events(6, 3));
    for (const level of ["counts", "full"] as const) {
      const certificate = await verifyStaged(stage, { bucket: target, level, useLedger: false });
      expect(foundIn(certificate)).toEqual([]);
      expect(certificate.behind).toMatchObject({ entries: 3, events: 6 });
    }
  });
});

describe("what cannot be verified at all", () => {
  it("is said: no bucket, no stream, no projection to fold with", async () => {
    await expect(verifyStaged(stage, { bucket: "NOWHERE" })).rejects.toThrow(
      /Cannot verify shop: there is no bucket NOWHERE\. Check/,
    );
    await stage.publish(events(3, 3));
    await stage.run({ target });
    const options = {
      ...{ client: stage.client, bucket: target, domain: "shop", domainSettings: stage.domainSettings, run: null },
      ...{ level: "full" as const, projection: staged, toolVersion: "0.0.0", signal: new AbortController().signal },
    };
    const elsewhere = { ...stage.domainSettings, stream: "NOWHERE" };
    await expect(verifyDomain({ ...options, domainSettings: elsewhere })).rejects.toThrow(/there is no stream NOWHERE/);
    await expect(verifyDomain({ ...options, projection: null })).rejects.toThrow(/no projection is given/);
  });
});

describe("one aggregate", () => {
  it("is verified alone", async () => {
    await stage.publish(events(60, 3));
    await stage.run({ target });
    await stage.publish(events(3, 3));
    const one = (aggregateId: string) =>
      verifyAggregate({
        ...{ client: stage.client, ledger: stage.ctx.ledger, level: "full", bucket: target, aggregateId },
        ...{ domain: "shop", domainSettings: stage.domainSettings, projection: staged, toolVersion: "0.0.0" },
        signal: new AbortController().signal,
      });
    const right = await one("a1");
    expect(foundIn(right)).toEqual([]);
    expect(right.checks.refold.evidence.values).toBe(1);
    expect(right.behind.first).toEqual([expect.objectContaining({ key: "shop.a1", events: 1 })]);
    expect((await one("nobody")).verdict).toBe("holds");
    await deleteEntry(
      stage.client,
      target,
      "shop.a1",
      (await getEntry(stage.client, target, "shop.a1"))?.revision ?? 0,
    );
    expect(foundIn(await one("a1"))).toEqual(["missing shop.a1"]);
  });
});

describe("a certificate in the ledger", () => {
  it("comes back as it was signed", async () => {
    await stage.publish(events(10, 3));
    const run = await stage.run({ target });
    const { privateKeyPem, publicKeyPem } = generateSigningKeys();
    const signed = signCertificate(await certify(stage, run), privateKeyPem);
    await stage.ctx.ledger.putCertificate(run.id, signed);
    const kept = parseCertificate(canonicalJson(await stage.ctx.ledger.getCertificate(run.id)));
    expect(kept).toEqual(signed);
    expect(verifySignature(kept, publicKeyPem)).toEqual({ valid: true });
  });
});
