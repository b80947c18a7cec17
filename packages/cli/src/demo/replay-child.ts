import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const DOMAIN_REPLAY = fileURLToPath(new URL("../../bin/domain-replay.js", import.meta.url));

/** What the demo needs of a run's JSON. */
const outcomeSchema = z.object({
  run_id: z.string(),
  target: z.string(),
  summary: z.object({
    events: z.number(),
    aggregates: z.number(),
    seconds: z.number(),
    events_per_second: z.number(),
  }),
});
export type ReplayOutcome = z.infer<typeof outcomeSchema>;

/** Runs the real `domain-replay`, its progress on this process's stderr; null where it did not complete. */
export async function replayDomain(
  domain: string,
  servers: { natsUrl: string; redisUrl: string },
  signal: AbortSignal,
): Promise<ReplayOutcome | null> {
  const flags = ["--domain", domain, "--parallel", "4", "--format", "json", "--metrics-port", "off"];
  const child = spawn(process.execPath, [DOMAIN_REPLAY, ...flags], {
    env: { ...process.env, NATS_URL: servers.natsUrl, REDIS_URL: servers.redisUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  // A terminal's Ctrl-C reaches the child by itself; what came to this process alone is passed on.
  const pass = () => void child.kill("SIGTERM");
  if (!process.stderr.isTTY) signal.addEventListener("abort", pass, { once: true });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
  signal.removeEventListener("abort", pass);
  return status === 0 ? outcomeSchema.parse(JSON.parse(Buffer.concat(chunks).toString("utf8"))) : null;
}
