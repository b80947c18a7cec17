import { headers, NoRespondersError, RequestError } from "nats";
import type { NatsClient } from "./connect.ts";
import { violationIn } from "./denied.ts";
import { bucketStream, keySubject, sentTo } from "./kv-layout.ts";

/** One thing that a login must be allowed to do. */
export interface PermissionProbe {
  /** What cannot be done without, in a person's words. */
  readonly what: string;
  readonly kind: "publish" | "subscribe";
  readonly subject: string;
  /** Refuses the message itself, where something could be stored. */
  readonly impossible: boolean;
}

/** `silent`: nobody refused and nobody answered. */
export type PermissionState = "held" | "denied" | "silent";

const PROBE_TIMEOUT_MS = 2_000;
/** Of streams, consumers and keys that nobody has. */
const NOBODYS = "cim-replay-doctor";
const NEVER_REACHED_SEQ = Number.MAX_SAFE_INTEGER;

/** What reading a stream takes. */
export function readProbes(stream: string): PermissionProbe[] {
  const what = `read stream ${stream}`;
  return [
    asked(what, `$JS.API.STREAM.INFO.${stream}`),
    asked(what, `$JS.API.CONSUMER.CREATE.${stream}.${NOBODYS}`),
    asked(what, `$JS.API.CONSUMER.MSG.NEXT.${stream}.${NOBODYS}`),
    asked(what, `$JS.API.CONSUMER.DELETE.${stream}.${NOBODYS}`),
    asked(what, `$JS.API.STREAM.MSG.GET.${stream}`),
  ];
}

/** What reading and writing a bucket takes; making it too, where it is not there yet. */
export function bucketProbes(bucket: string, isThere: boolean): PermissionProbe[] {
  const what = `read bucket ${bucket}`;
  return [...makeAndWrite(bucket, isThere), ...readProbes(bucketStream(bucket)).map((probe) => ({ ...probe, what }))];
}

/** As `bucketProbes`, of the ledger: its records are read one by one. */
export function ledgerProbes(bucket: string, isThere: boolean): PermissionProbe[] {
  const what = `read bucket ${bucket}`;
  const stream = bucketStream(bucket);
  return [
    ...makeAndWrite(bucket, isThere),
    asked(what, `$JS.API.STREAM.INFO.${stream}`),
    asked(what, `$JS.API.STREAM.MSG.GET.${stream}`),
  ];
}

function makeAndWrite(bucket: string, isThere: boolean): PermissionProbe[] {
  const making = isThere ? [] : [asked(`make bucket ${bucket}`, `$JS.API.STREAM.CREATE.${bucketStream(bucket)}`)];
  return [...making, { ...asked(`write bucket ${bucket}`, keySubject(bucket, NOBODYS)), impossible: true }];
}

/** What verifying a stream takes besides: saying that what came before is done with. */
export function verifyProbes(stream: string): PermissionProbe[] {
  return [asked(`verify against stream ${stream}`, `$JS.FC.${stream}.${NOBODYS}`)];
}

/** What the streams of our own take: checkpoints, segments, quarantine and audit log. */
export function ownStreamProbes(): PermissionProbe[] {
  return [
    ["CIM_REPLAY_CHECKPOINTS", "_CIM_REPLAY.checkpoint", "keep checkpoints"] as const,
    ["CIM_REPLAY_SEGMENTS", "_CIM_REPLAY.segment", "keep segments"] as const,
    ["CIM_REPLAY_QUARANTINE", "_CIM_REPLAY.quarantine", "keep events that cannot be taken"] as const,
    ["CIM_REPLAY_AUDIT", "_CIM_REPLAY.audit", "keep the audit log"] as const,
  ].flatMap(([stream, subject, what]) => [
    asked(what, `$JS.API.STREAM.INFO.${stream}`),
    asked(what, `$JS.API.STREAM.CREATE.${stream}`),
    { ...asked(what, `${subject}.${NOBODYS}`), impossible: true },
    ...(stream === "CIM_REPLAY_SEGMENTS" ? [asked("read segments", `$JS.API.DIRECT.GET.${stream}.${NOBODYS}`)] : []),
  ]);
}

/** What coordinators, workers and the commands that steer them tell each other by. */
export function signalProbes(): PermissionProbe[] {
  const what = "steer runs and show their progress";
  const subjects = [`_CIM_REPLAY.control.${NOBODYS}`, `_CIM_REPLAY.live.${NOBODYS}`];
  return subjects.flatMap((subject): PermissionProbe[] => [
    asked(what, subject),
    { what, kind: "subscribe", subject, impossible: false },
  ]);
}

function asked(what: string, subject: string): PermissionProbe {
  return { what, kind: "publish", subject, impossible: false };
}

/**
 * Tries what a probe names, so that nothing comes of it: requests are empty, which the JetStream API refuses, and what
 * a bucket would store is on a condition that no bucket fulfils. Rejects only where the connection is lost.
 */
export async function probePermission(client: NatsClient, probe: PermissionProbe): Promise<PermissionState> {
  try {
    if (probe.kind === "subscribe") await trySubscription(client, probe.subject);
    else await client.nc.request(askedAt(client, probe.subject), undefined, requestOptions(probe));
    return "held";
  } catch (error) {
    if (isDenied(error)) return "denied";
    if (isAnswered(error)) return "held";
    if (client.nc.isClosed() || !client.link.up) throw error;
    return "silent";
  }
}

function askedAt(client: NatsClient, subject: string): string {
  return sentTo(
    client,
    subject.replace(/^\$JS\.API(?=\.)/, () => client.apiPrefix),
  );
}

function requestOptions({ impossible }: PermissionProbe): Parameters<NatsClient["nc"]["request"]>[2] {
  if (!impossible) return { timeout: PROBE_TIMEOUT_MS };
  const condition = headers();
  condition.set("Nats-Expected-Last-Subject-Sequence", String(NEVER_REACHED_SEQ));
  return { timeout: PROBE_TIMEOUT_MS, headers: condition };
}

/** The server says nothing to a subscription that it takes; its answer to the ping of a flush comes after any refusal. */
async function trySubscription({ nc, newInbox }: NatsClient, subject: string): Promise<void> {
  let refusal: Error | null = null;
  const subscription = nc.subscribe(subject, {
    queue: newInbox(),
    callback: (error) => {
      refusal ??= error;
    },
  });
  await nc.flush();
  subscription.unsubscribe();
  if (refusal) throw refusal;
}

function isDenied(error: unknown): boolean {
  return violationIn(error) !== null;
}

/** Nobody listens there, which the server said: it took the request. */
function isAnswered(error: unknown): boolean {
  if (error instanceof NoRespondersError) return true;
  return error instanceof RequestError && error.isNoResponders();
}
