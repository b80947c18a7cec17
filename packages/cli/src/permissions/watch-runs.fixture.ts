import { setTimeout as sleep } from "node:timers/promises";
import { ProgressWatch } from "@cim-replay/coordinator";
import { errorMessage, silentLog } from "@cim-replay/core";
import { accessFor, openDashboard } from "@cim-replay/dashboard";
import { connectNats, Ledger } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { inject } from "vitest";
import type { CommandResult } from "./run-in-process.fixture.ts";
import type { Account } from "./theatre.fixture.ts";

const LOOKS_MS = 1_500;
const host = "127.0.0.1";

/** The newest run as if it were still at work: then all that is shown of runs at work is asked for. Its id. */
export async function reviveRun({ url }: Account): Promise<string> {
  const client = await connectNats({ url: url("admin"), name: "admin" });
  try {
    const ledger = await Ledger.open(client);
    const id = (await ledger?.listRuns())?.[0]?.id ?? "";
    await ledger?.changeRun(id, (run) => ({ ...run, state: "running" }));
    return id;
  } finally {
    await client.close();
  }
}

/** Opens a dashboard with its login and every page about the run; what they say, and whether it is what they are for. */
export async function watchRuns({ url }: Account, runId: string): Promise<CommandResult> {
  await using opened = new AsyncDisposableStack();
  try {
    const client = opened.adopt(await connectNats({ url: url("dashboard"), name: "dashboard" }), (each) =>
      each.close(),
    );
    const ledger = await Ledger.open(client);
    if (ledger === null) throw new Error("no ledger");
    const dashboard = await openDashboard({
      ...{ client, host, port: 0, log: silentLog },
      access: accessFor({ host, user: null, password: null, trustHeader: null, trustProxies: [] }),
      queue: { ...QUEUE_DEFAULTS, redisUrl: inject("redisUrl") },
      ports: {
        watchRun: (id) => new ProgressWatch(client, ledger, id),
        actions: null,
        metrics: async () => ({ contentType: "text/plain", text: "" }),
      },
    });
    opened.defer(() => dashboard.close());
    await sleep(LOOKS_MS);
    const pages: string[] = [];
    const run = `/runs/${encodeURIComponent(runId)}`;
    const [, quarantined = ""] =
      /(\/runs\/[^"]+\/quarantine\/\d+)/.exec(await page(`${dashboard.url}${run}`, pages)) ?? [];
    await page(`${dashboard.url}${quarantined}`, pages);
    await page(`${dashboard.url}/audit`, pages);
    await sleep(LOOKS_MS);
    await page(dashboard.url, pages);
    const said = pages.join("\n");
    return { status: quarantined === "" || said.includes("Cannot ") ? 1 : 0, said };
  } catch (error) {
    return { status: 1, said: errorMessage(error) };
  }
}

async function page(url: string, pages: string[]): Promise<string> {
  const text = await (await fetch(url, { headers: { accept: "text/html" } })).text();
  pages.push(text.replaceAll("&#39;", "'").replace(/<[^>]*>/g, " "));
  return text;
}
