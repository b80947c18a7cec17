import { hash } from "node:crypto";
import { deleteEntry, getEntry } from "@cim-replay/nats";
import { headers } from "nats";
import { describe, expect, it } from "vitest";
import type { Stage } from "../support/stage.ts";
import { certify, events, foundIn, withVerifyStage, putAs, verifyStaged } from "../support/verify-stage.ts";

let stage: Stage;
let target: string;
withVerifyStage((opened, fresh) => {
  stage = opened;
  target = fresh;
});

describe("what was done to the bucket", () => {
  const put = (key: string, value: string, from: string) => putAs(stage, target, { key, value, from });
  const textOf = async (key: string) =>
    Buffer.from((await getEntry(stage.client, target, key))?.value ?? []).toString();

  const cases: Record<string, { harm: () => Promise<unknown>; counts: string[]; full: string[] }> = {
    "one byte of a value": {
      harm: async () => put("shop.a3", (await textOf("shop.a3")).replace('"total":20', '"total":21'), "shop.a3"),
      counts: ["altered shop.a3", "entries 0"],
      full: ["altered shop.a3", "entries 0", "value shop.a3"],
    },
    "a value with a hash that fits": {
      harm: async () => {
        const forged = (await textOf("shop.a3")).replace('"total":20', '"total":21');
        const head = headers();
        const said = (await getEntry(stage.client, target, "shop.a3"))?.provenance;
        const pairs = { Run: said?.run, Epoch: said?.epoch, "Last-Seq": said?.lastSeq, Events: said?.events };
        for (const [name, value] of Object.entries(pairs)) head.set(`Cim-Replay-${name}`, `${value}`);
        head.set("Cim-Replay-Sha256", hash("sha256", forged));
        await stage.client.js.publish(`$KV.${target}.shop.a3`, forged, { headers: head });
      },
      counts: ["entries 0"],
      full: ["entries 0", "value shop.a3"],
    },
    "a key removed": {
      harm: async () => deleteEntry(stage.client, target, "shop.a4", await revisionOf("shop.a4")),
      counts: ["entries 0", "missing shop.a4"],
      full: ["entries 0", "missing shop.a4"],
    },
    "a key too many, with the run's own headers": {
      harm: () => put("shop.ghost", "{}", "shop.a4"),
      counts: ["altered shop.ghost", "entries 0", "extra shop.ghost"],
      full: ["altered shop.ghost", "entries 0", "extra shop.ghost"],
    },
    "a key that is none, by somebody else": {
      harm: () => put("shop.a=b.c", "{}", "shop.none"),
      counts: ["foreign shop.a=b.c"],
      full: ["foreign shop.a=b.c"],
    },
    "an entry overwritten by somebody else": {
      harm: () => put("shop.a5", "{}", "shop.none"),
      counts: ["altered shop.a5", "entries 0"],
      full: ["altered shop.a5", "entries 0", "value shop.a5"],
    },
    "two values swapped": {
      harm: async () => {
        const [a, b] = [await textOf("shop.a1"), await textOf("shop.a2")];
        await put("shop.a1", b, "shop.a1");
        await put("shop.a2", a, "shop.a2");
      },
      counts: ["altered shop.a1", "altered shop.a2", "entries 0"],
      full: ["altered shop.a1", "altered shop.a2", "entries 0", "value shop.a1", "value shop.a2"],
    },
  };
  const revisionOf = async (key: string) => (await getEntry(stage.client, target, key))?.revision ?? 0;

  it.each(Object.keys(cases))("is found and named: %s", async (name) => {
    await stage.publish(events(200, 10));
    const run = await stage.run({ target, parallel: 1 });
    expect(foundIn(await certify(stage, run))).toEqual([]);
    await cases[name]?.harm();
    const counts = await certify(stage, run, "counts");
    expect(foundIn(counts)).toEqual(cases[name]?.counts);
    expect(counts.verdict).toBe("fails");
    const full = await certify(stage, run);
    expect(foundIn(full)).toEqual(cases[name]?.full);
    expect((await verifyStaged(stage, { run, bucket: target })).verdict).toBe("fails");
  });

  it("says where in the value, and from which event on", async () => {
    await stage.publish([...events(50, 5), { id: "a2", type: "Moved", payload: { n: 1 } }]);
    const run = await stage.run({ target });
    await put("shop.a2", (await textOf("shop.a2")).replace('"total":11', '"total":10'), "shop.a2");
    const [at] = (await certify(stage, run)).discrepancies.first.filter(({ kind }) => kind === "value");
    expect(at).toMatchObject({ key: "shop.a2", expected: "11", found: "10" });
    expect(at?.text).toMatch(/Entry shop\.a2 differs at \$\.total: .*up to sequence \d+, and not from event \d+ on/);
    expect(at?.sequence).toBe((await stage.client.jsm.streams.info(stage.stream)).state.last_seq);
  });
});
