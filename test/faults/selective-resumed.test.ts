import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readAllMessages, referenceFold } from "@cim-replay/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";
import slowProjection from "./slow-projection.ts";

const PROJECTION = fileURLToPath(new URL("slow-projection.ts", import.meta.url));

describe("a selective run whose command was killed", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  /** The fold of what the filter takes, single-threaded and by the subject alone. */
  async function foldOf(types: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const taken = async function* () {
      for await (const message of readAllMessages(stage.client, "EVENTS")) {
        if (types.includes(message.subject.split(".").at(-1) ?? "")) yield message;
      }
    };
    return referenceFold(taken(), slowProjection, { domain: "shop" });
  }

  it("is resumed with the filter that it was planned with, and ends with the same bytes", async () => {
    stage = await FaultStage.open();
    const filter = join(stage.cwd, "filter.json");
    const write = (types: readonly string[]) =>
      writeFileSync(filter, JSON.stringify({ event_types: types, domains: ["shop"] }));
    write(["Added", "Moved"]);
    const pace = ["--units", "1", "--batch-size", "50", "--prefetch", "1000", "--checkpoint-interval", "200"];
    const args = ["--filter", filter, "--target", "picked", "--execute", "--projection", PROJECTION, ...pace];
    const killed = stage.start("selective-replay", args);
    const { cursorSeq } = await stage.unit((unit) => unit.cursorSeq > 800);
    killed.kill("SIGKILL");
    await until(() => stage.processes().length === 0, "local workers to leave by themselves");
    write(["Removed"]);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(claimsFrom(resumed.stderr)[0]).toBeGreaterThan(cursorSeq);
    expect(await stage.entries("picked")).toEqual(await foldOf(["Added", "Moved"]));
    expect(await stage.ledger.listRuns()).toHaveLength(1);
  });
});
