import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectNats } from "@cim-replay/nats";
import type { PartableCluster } from "@cim-replay/testkit";
import { FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

/** Long enough for an election on the side that can hold one, and for a leader to lose its office on the other. */
const PARTED_MS = 15_000;
const ELECTED_WITHIN_MS = 30_000;
/** It takes some twenty seconds; what it said by then is worth more than a test that ran out of time. */
const ENDS_WITHIN_MS = 80_000;

describe("on three servers, one of which the other two cannot reach for some seconds", { timeout: 180_000 }, () => {
  let stage: FaultStage;
  let cluster: PartableCluster;
  /** The server that will be alone, and what reaches the others. */
  let alone: { name: string; url: string };
  let others: string;

  beforeEach(async () => {
    stage = await FaultStage.open({ clustered: "partable" });
    cluster = stage.cluster as PartableCluster;
    const name = await leader();
    alone = { name, url: cluster.servers.get(name)?.url ?? "" };
    others = [...cluster.servers.values()]
      .map(({ url }) => url)
      .filter((url) => url !== alone.url)
      .join(",");
  });
  afterEach(() => stage.close());

  const leader = () =>
    until(async () => (await stage.client.jsm.streams.info("KV_CIM_REPLAY")).cluster?.leader, "a leader of the ledger");

  /** Of those that are together; which of all leads once they are one again is the servers' affair. */
  async function othersHaveChosen(): Promise<void> {
    const client = await connectNats({ url: others, name: "among-the-others" });
    const another = async () => {
      const info = await client.jsm.streams.info("KV_CIM_REPLAY").catch(() => undefined);
      return info?.cluster?.leader !== undefined && info.cluster.leader !== alone.name;
    };
    await until(another, "the others to choose a leader of the ledger", ELECTED_WITHIN_MS).finally(() =>
      client.close(),
    );
  }

  // The one that is cut off leads the ledger, and goes on to believe so for a while.
  it.each([
    ["command and worker are with the others", { command: false, worker: false }],
    ["command and worker are with it", { command: true, worker: true }],
    ["only the worker is with it", { command: false, worker: true }],
    ["only the command is with it", { command: true, worker: false }],
  ])("a run goes on afterwards: %s", async (_, isAlone) => {
    const at = (who: boolean) => ({ NATS_URL: who ? alone.url : others });
    stage.moreEnv = at(isAlone.worker);
    await stage.worker();
    stage.moreEnv = at(isAlone.command);
    const replay = stage.replay("--local-workers", "0");
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    cluster.part(alone.name);
    await Promise.all([sleep(PARTED_MS), othersHaveChosen()]);
    cluster.heal();
    const status = await Promise.race([replay.exited, sleep(ENDS_WITHIN_MS, "still at work")]);
    expect(status, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
  });
});
