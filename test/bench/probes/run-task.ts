import { connectNats, type NatsClient } from "@cim-replay/nats";
import type { OwnFigures, ProbeResult, ProbeTask } from "../probe-task.ts";

/** Does the work with the task from the command line, and prints what it took: connecting is not counted. */
export async function runTask(
  work: (client: NatsClient, task: ProbeTask) => Promise<OwnFigures | undefined>,
): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? "") as ProbeTask;
  const client = await connectNats({ url: task.url, name: "bench-probe" });
  const whole = startClock();
  const own = await work(client, task);
  const figures = { ...whole(), stageMicros: null, ...own };
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  await client.close();
  console.log(JSON.stringify({ ...figures, peakBytes } satisfies ProbeResult));
}

/** Time on the clock and on the processor from now to the call. */
export function startClock(): () => { seconds: number; cpuMicros: number } {
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  return () => {
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { seconds, cpuMicros: user + system };
  };
}
