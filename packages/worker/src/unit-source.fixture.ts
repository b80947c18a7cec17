import {
  compileDomain,
  type DeletedSequences,
  type DomainSettings,
  domainSettingsSchema,
  newUnitRecord,
  type Plan,
  type RunSettings,
  silentLog,
} from "@cim-replay/core";
import { Ledger, type NatsClient, SegmentStore, streamFacts } from "@cim-replay/nats";
import { planOf, runOf, settingsOf, uniqueName } from "@cim-replay/testkit";
import { DirectSource, pinnedDeletions } from "./direct-source.ts";
import { Pace } from "./pace.ts";
import { SegmentSource } from "./shuffle/segment-source.ts";
import { SlicePass } from "./shuffle/slice-pass.ts";
import { UnitClaim } from "./unit-claim.ts";
import type { AttemptContext, UnitContext } from "./unit-context.ts";
import type { SourceStart, UnitSource } from "./unit-source.ts";

/** How a test cuts the work of a stream. */
export type Cut = Pick<Plan, "range" | "partitionBy" | "partitions" | "units" | "slices">;

export function domainOf(stream: string): DomainSettings {
  return domainSettingsSchema.parse({ stream, subject: `${stream}.{domain}.{aggregate_id}.{event_type}` });
}

/** A run over a stream of domain `shop` that is in the ledger, and whose units' attempts a test makes by hand. */
export class StagedRun {
  readonly plan: Plan;
  readonly #client: NatsClient;
  readonly #ledger: Ledger;
  readonly #deleted: DeletedSequences;

  private constructor(client: NatsClient, ledger: Ledger, plan: Plan, deleted: DeletedSequences) {
    this.#client = client;
    this.#ledger = ledger;
    this.plan = plan;
    this.#deleted = deleted;
  }

  static async begin(
    client: NatsClient,
    stream: string,
    cut: Cut & Pick<Plan, "deleted">,
    kind: Plan["source"]["kind"],
    changes: Partial<RunSettings> = {},
  ): Promise<StagedRun> {
    const ledger = await Ledger.open(client, { create: true });
    const facts = await streamFacts(client, stream);
    if (!ledger || !facts) throw new Error("no ledger, or no stream");
    const { created, firstSeq, lastSeq } = facts;
    const runId = uniqueName("run");
    const plan = planOf(runId, {
      ...{ domain: "shop", stream: { name: stream, created, firstSeq, lastSeq }, source: { kind, reason: "" } },
      ...cut,
      sliceUnits: kind === "shuffle" ? cut.slices.map((_, slice) => ({ id: `s${slice}`, slice })) : [],
    });
    const settings = settingsOf(stream, { domain: "shop", domainSettings: domainOf(stream), ...changes });
    await ledger.createRun(runOf(runId, { settings }), plan, [
      ...plan.sliceUnits.map(({ id }) => newUnitRecord(runId, id, plan.slices.length, plan.partitions.length, "slice")),
      ...plan.units.map(({ id, partitions }) => newUnitRecord(runId, id, plan.slices.length, partitions.length)),
    ]);
    return new StagedRun(client, ledger, plan, await pinnedDeletions(client, plan));
  }

  /** Packs a slice at a new epoch; where it `dies`, its last moment never comes. */
  async pack(slice: number, { dies }: { dies: boolean }): Promise<void> {
    const { run, ...others } = await this.#attempt(`s${slice}`);
    // The limits that tests set are below what this process has for itself.
    const context = { ...others, run: { ...run, settings: { ...run.settings, memoryLimitBytes: null } } };
    const range = this.plan.slices[slice];
    if (!range) throw new Error("no such slice");
    const packed = await new SlicePass(context, slice, range, await this.#segments(), this.#deleted).run();
    await context.claim.end((record) =>
      dies ? { ...record, state: "pending" } : { ...record, ...packed, state: "done" },
    );
    context.claim.stop(new Error("over"));
  }

  /** `watch`: what a shuffled unit reads its segments through. */
  async open(
    unit: string,
    start: SourceStart,
    watch: (store: Pick<SegmentStore, "read">) => Pick<SegmentStore, "read"> = (store) => store,
  ): Promise<UnitSource> {
    const planned = this.plan.units.find(({ id }) => id === unit);
    if (!planned) throw new Error("no such unit");
    const context = { ...(await this.#attempt(unit)), unit: planned } as unknown as UnitContext;
    context.claim.stop(new Error("only reads"));
    if (this.plan.source.kind === "direct") return new DirectSource(context, this.#deleted, start);
    return new SegmentSource(context, { ledger: this.#ledger, segments: watch(await this.#segments()) }, start);
  }

  async end(): Promise<void> {
    await (await SegmentStore.open(this.#client, { create: false }))?.removeRun(this.plan.runId);
  }

  async #attempt(unit: string): Promise<AttemptContext> {
    const { runId } = this.plan;
    const claim = await UnitClaim.take(this.#ledger, { runId, unit }, "w", silentLog);
    const run = (await this.#ledger.getRun(runId))?.record;
    if (!claim || !run) throw new Error(`unit ${unit} is not to be had`);
    return {
      ...{
        client: this.#client,
        readThread: () => null,
        claim,
        run,
        plan: this.plan,
        log: silentLog,
        recoveries: 0,
        checkpointRequested: false,
      },
      codec: compileDomain("shop", run.settings.domainSettings),
      maxMessageBytes: this.#client.maxPayloadBytes - 4_096,
      signal: new AbortController().signal,
      gauge: { heldBytes: 0 },
      pace: new Pace(run.settings),
      stages: { fetch: 0, fold: 0, checkpoint: 0, write: 0 },
    };
  }

  async #segments(): Promise<SegmentStore> {
    const store = await SegmentStore.open(this.#client, { create: true });
    if (!store) throw new Error("no store of segments");
    return store;
  }
}
