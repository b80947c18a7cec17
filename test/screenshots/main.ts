import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNats } from "@cim-replay/nats";
import { startServerPair } from "@cim-replay/testkit";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, startChromium } from "../support/chromium.ts";
import { ReplayProcess } from "../support/replay-process.ts";

/** Where the README looks for them. */
const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
/** A run that goes on for as long as it takes to look at it. */
const EVENTS = ["--domains", "graph,workflow,person", "--events", "300000", "--aggregates", "9000", "--skew", "0.6"];
const EVENTS_PER_SECOND = "4000";

/** `npm run screenshots`: makes the README's pictures of the dashboard, of a real run on servers of its own. */
async function main(): Promise<void> {
  if (chromiumPath === null) {
    throw new Error(
      "Cannot take screenshots: there is no chromium in PATH. Install one, or name it with CHROMIUM_PATH.",
    );
  }
  await using opened = new AsyncDisposableStack();
  const { nats, redis } = await startServerPair();
  opened.defer(async () => void (await Promise.all([nats.stop(), redis.stop()])));
  const cwd = opened.adopt(await mkdtemp(join(tmpdir(), "cim-replay-screenshots-")), (path) =>
    rm(path, { recursive: true }),
  );
  const env = {
    PATH: process.env.PATH,
    HOME: cwd,
    NATS_URL: nats.url,
    REDIS_URL: redis.url,
    CIM_REPLAY_METRICS_PORT: "off",
  };
  const start = (tool: string, args: readonly string[]) => {
    const started = new ReplayProcess(tool, args, { cwd, env });
    opened.defer(async () => {
      if (started.isRunning) started.kill("SIGTERM");
      await started.exited;
    });
    return started;
  };
  const done = async (tool: string, args: readonly string[]) => {
    const ended = start(tool, args);
    console.log(`${tool} ${args.join(" ")}: ${await ended.exited}`);
  };
  await done("generate-events", EVENTS);
  await done("domain-replay", ["--domain", "workflow"]);
  await done("domain-replay", ["--domain", "person", "--certify", "content"]);
  await publishBadEvent(nats.url);
  await done("domain-replay", ["--domain", "workflow"]);
  const dashboard = start("cim-replay", ["dashboard", "--port", "0", "--allow-actions"]);
  await dashboard.says(/Dashboard at http/);
  const url = /http:\S+?(?=,)/.exec(dashboard.stderr)?.[0] ?? "";
  const shape = ["--domain", "graph", "--parallel", "48", "--units", "4", "--checkpoint-interval", "5000"];
  start("domain-replay", [...shape, "--local-workers", "2", "--max-rate", EVENTS_PER_SECOND]);
  const browser = opened.adopt(await startChromium(), (each) => each.close());
  await takeAll(browser, url);
}

async function takeAll(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, deviceScaleFactor: 1 });
  await page.goto(url);
  await page.locator("#runs .badge.running").waitFor();
  await page.locator("#runs a").first().click();
  await page.locator("#units .badge.done").first().waitFor({ timeout: 300_000 });
  await take(page, "dashboard-run.png", 1_120);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(url);
  await page.waitForTimeout(2_500);
  await take(page, "dashboard-runs-dark.png", 420);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("#runs a").first().click();
  await page.waitForTimeout(2_500);
  await take(page, "dashboard-phone.png", 844);
}

async function take(page: Page, name: string, height: number): Promise<void> {
  const width = page.viewportSize()?.width ?? 0;
  await page.screenshot({ path: join(IMAGES, name), clip: { x: 0, y: 0, width, height }, fullPage: true });
  console.log(`docs/images/${name}`);
}

async function publishBadEvent(natsUrl: string): Promise<void> {
  const client = await connectNats({ url: natsUrl, name: "screenshots" });
  await client.js.publish(
    "events.workflow.3f2a.WorkflowStarted",
    '{"event_id": "e1", "aggregate_id": "3f2a", "payload": {"total": 12.',
  );
  await client.close();
}

await main();
