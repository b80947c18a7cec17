import { connectNats, type NatsClient } from "@cim-replay/nats";
import type { ProbeResult, ProbeTask } from "../probe-task.ts";

/** Does the work with the task from the command line, and prints what it took: connecting is not counted. */
export async function runTask(work: (client: NatsClient, task: ProbeTask) => Promise<void>): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? "") as ProbeTask;
  const client = await connectNats({ url: task.url, name: "bench-probe" });
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  await work(client, task);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  await client.close();
  console.log(JSON.stringify({ seconds, cpuMicros: user + system, peakBytes } satisfies ProbeResult));
}
