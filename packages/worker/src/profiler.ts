import { randomBytes } from "node:crypto";
import { Session } from "node:inspector/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { errorMessage, type Log, type WorkerProfile } from "@cim-replay/core";
import { type NatsClient, sendProfile } from "@cim-replay/nats";
import { ProfileGauges } from "./profile-gauges.ts";
import { ProfileTally } from "./profile-tally.ts";
import type { UnitAttempt } from "./run-unit.ts";

const SAMPLE_EVERY_MS = 100;
const FINEST_MICROS = 1_000;
const MOST_SAMPLES = 60_000;

interface ProfilerOptions {
  readonly client: NatsClient;
  readonly workerId: string;
  readonly log: Log;
  /** Those of a run that are at work. */
  attemptsOf(runId: string): readonly UnitAttempt[];
}

interface Request {
  readonly runId: string;
  readonly profileId: string;
  readonly durationMs: number;
}

interface Recording {
  readonly request: Request;
  readonly tally: ProfileTally;
  end(by: WorkerProfile["endedBy"]): void;
  /** Settles when it is sent; never fails. */
  readonly sent: Promise<void>;
}

/** Records the process while it works for a run, and sends what it saw. Whatever goes wrong here is no unit's failure. */
export class Profiler {
  readonly #options: ProfilerOptions;
  #recording: Recording | null = null;

  constructor(options: ProfilerOptions) {
    this.#options = options;
  }

  /** Does nothing where a recording goes on: who asks, asks again now and then for those who come later. */
  begin(request: Request): void {
    if (this.#recording !== null) return;
    const tally = new ProfileTally();
    const ending = Promise.withResolvers<WorkerProfile["endedBy"]>();
    const sent = this.#record(request, tally, ending.promise)
      .catch((error: unknown) => this.#options.log.warn({ error: errorMessage(error) }, "the profile is lost"))
      .finally(() => {
        this.#recording = null;
      });
    this.#recording = { request, tally, end: ending.resolve, sent };
  }

  /** Before its time: who asked has seen enough. */
  end(profileId: string): void {
    if (this.#recording?.request.profileId === profileId) this.#recording.end("duration");
  }

  /** Before an attempt is forgotten: its last figures are kept, and with the last attempt of the run the recording ends. */
  async leaving(runId: string, attempt: UnitAttempt | undefined): Promise<void> {
    const recording = this.#recording;
    if (recording?.request.runId !== runId) return;
    if (attempt) recording.tally.sample([attempt]);
    if (this.#options.attemptsOf(runId).some((other) => other !== attempt)) return;
    recording.end("run-ended");
    await recording.sent;
  }

  async #record(request: Request, tally: ProfileTally, ended: Promise<WorkerProfile["endedBy"]>): Promise<void> {
    const { client, workerId } = this.#options;
    const { runId, profileId, durationMs } = request;
    const to = { profileId, workerId, recording: randomBytes(6).toString("hex") };
    const sample = () => tally.sample(this.#options.attemptsOf(runId));
    const session = new Session();
    session.connect();
    const sampling = setInterval(sample, SAMPLE_EVERY_MS);
    const limit = Promise.withResolvers<WorkerProfile["endedBy"]>();
    const timer = setTimeout(() => limit.resolve("duration"), durationMs);
    try {
      await session.post("Profiler.enable");
      const interval = Math.max(FINEST_MICROS, Math.ceil((durationMs * 1000) / MOST_SAMPLES));
      await session.post("Profiler.setSamplingInterval", { interval });
      await session.post("Profiler.start");
      const gauges = new ProfileGauges(client);
      sample();
      await sendProfile(client, to, null);
      const rtt = roundTrip(client);
      const endedBy = await Promise.race([ended, limit.promise]);
      sample();
      const { profile: cpuProfile } = await session.post("Profiler.stop");
      const measured = { ...gauges.read(), ...tally.read(), rttMs: await rtt };
      const profile: WorkerProfile = { workerId, runId, endedBy, ...measured, cpuProfile };
      await sendProfile(client, to, await promisify(gzip)(JSON.stringify(profile)));
    } finally {
      clearTimeout(timer);
      clearInterval(sampling);
      session.disconnect();
    }
  }
}

/** Through the socket that the events come by: where it is full, that is part of the answer. */
async function roundTrip(client: NatsClient): Promise<number | null> {
  try {
    return await client.nc.rtt();
  } catch {
    return null;
  }
}
