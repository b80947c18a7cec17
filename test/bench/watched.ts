import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Bench } from "./bench-setup.ts";

const COMMAND = join(fileURLToPath(new URL("../../", import.meta.url)), "node_modules", ".bin", "cim-replay");

const WARM_UP_MS = 4_000;

/** Does the work while a dashboard is open on the list of runs, and on the newest of them that is at work. */
export async function whileWatched<Result>({ urls }: Bench, work: () => Promise<Result>): Promise<Result> {
  const child = spawn(COMMAND, ["dashboard", "--port", "0"], {
    env: { ...process.env, ...urls },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const leave = new AbortController();
  try {
    const url = await addressOf(child.stderr);
    const watching = watch(url, leave.signal);
    // One that has just started is still being compiled; people's have been open for long.
    await sleep(WARM_UP_MS);
    const result = await work();
    leave.abort();
    const news = await watching;
    if (news.list === 0 || news.run === 0)
      throw new Error(`Cannot call that watched: news of the list ${news.list}, of the run ${news.run}`);
    return result;
  } finally {
    leave.abort();
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  }
}

async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const [url] = /http:\S+?(?=,)/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error("Cannot watch: the dashboard ended before it began.");
}

/** Counts the news that browsers would have been sent. */
async function watch(url: string, signal: AbortSignal): Promise<{ list: number; run: number }> {
  const news = { list: 0, run: 0 };
  let ofRun: Promise<void> | null = null;
  await follow(url, signal, (text) => {
    news.list += 1;
    const path = /\/runs\/[^"\\]+/.exec(text.split("badge running")[1] ?? "")?.[0];
    if (path === undefined || ofRun !== null) return;
    ofRun = follow(`${url}${path}`, signal, () => {
      news.run += 1;
    });
  });
  await ofRun;
  return news;
}

async function follow(url: string, signal: AbortSignal, onNews: (text: string) => void): Promise<void> {
  try {
    const { body } = await fetch(url, { headers: { accept: "text/event-stream" }, signal });
    for await (const chunk of body ?? []) onNews(Buffer.from(chunk).toString());
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
