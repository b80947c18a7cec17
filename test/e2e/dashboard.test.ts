import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AuditLog } from "@cim-replay/nats";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startChromium } from "../support/chromium.ts";
import { FaultStage } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

if (chromiumPath === null) {
  console.warn("dashboard in a browser is skipped: no chromium in PATH. Install one, or name it with CHROMIUM_PATH.");
}

const PASSWORD = "correct horse & <battery>";
const HOSTILE = `{"text":"</pre><script>window.ran=1</script><img src=x onerror='window.ran=1'>"`;
const SLOW_PROJECTION = fileURLToPath(new URL("../faults/slow-projection.ts", import.meta.url));

describe.skipIf(chromiumPath === null)("the dashboard in a browser", () => {
  let stage: FaultStage;
  let dashboard: ReplayProcess;
  let url: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    stage = await FaultStage.open({ events: 6_000, eventMicros: 2_000 });
    writeFileSync(join(stage.cwd, "password"), `${PASSWORD}\n`);
    const pace = ["units: 1", "batch-size: 50", "prefetch: 1000", "checkpoint-interval: 400"];
    const domains = ["domains:", `  shop: {projection: ${SLOW_PROJECTION}}`];
    writeFileSync(join(stage.cwd, "cim-replay.yaml"), [...pace, ...domains].join("\n"));
    // An event that is no JSON, and would be a script where it is not escaped.
    await stage.client.js.publish("events.shop.bad.Added", HOSTILE);
    const login = ["--dashboard-user", "ops", "--dashboard-password-file", "password"];
    dashboard = stage.start("cim-replay", ["dashboard", "--port", "0", "--allow-actions", ...login]);
    await dashboard.says(/Dashboard at http/);
    url = /http:\S+?(?=,)/.exec(dashboard.stderr)?.[0] ?? "";
    browser = await startChromium();
    context = await browser.newContext({ httpCredentials: { username: "ops", password: PASSWORD } });
    page = await context.newPage();
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  it("asks for a login, and takes no other", async () => {
    const status = async (credentials?: string) => {
      const headers = credentials ? { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` } : {};
      return (await fetch(url, { headers })).status;
    };
    expect(await status()).toBe(401);
    expect(await status("ops:wrong")).toBe(401);
    expect(await status(`other:${PASSWORD}`)).toBe(401);
    expect(await status(`ops:${PASSWORD}`)).toBe(200);
    for (const path of ["/queues/", "/queues/api/queues", "/metrics", "/assets/live.js", "/runs/x/certificate.json"]) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(401);
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("says that there is no run, and shows one as soon as it begins", async () => {
    await page.goto(url);
    expect(await text(page, "#runs")).toContain("No run was begun");
    stage.replay();
    await page.locator("#runs .badge.running").waitFor();
  });

  it("follows the run: its progress, rate, units and charts, without being loaded again", async () => {
    await page.locator("#runs a").first().click();
    await page.locator("#state .badge.running").waitFor();
    await page.evaluate("window.stayed = true");
    const read = async () => Number((await figure(page, "read")).replaceAll(",", ""));
    await until(async () => (await read()) > 500, "events to be read");
    const before = await read();
    await until(async () => (await read()) > before + 200, "more events to be read");
    await until(async () => (await figure(page, "durable")) !== "0", "a checkpoint");
    expect(Number((await figure(page, "events/s")).replaceAll(",", ""))).toBeGreaterThan(50);
    expect(await figure(page, "time left")).toMatch(/ s$/);
    expect(await page.locator("#charts path.line").count()).toBe(2);
    expect(await page.locator("#partitions rect.running title").count()).toBeGreaterThan(0);
    expect(await text(page, "#units")).toContain("running");
    expect(await page.evaluate("window.stayed")).toBe(true);
    expect(await text(page, "#connection")).toBe("live");
  });

  it("pauses it and lets it go on", async () => {
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator("#state .badge.paused").waitFor();
    expect(await text(page, "#state")).toContain("Paused by ops in the dashboard.");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("#state .badge.running").waitFor();
    expect((await stage.run()).state).toBe("running");
  });

  it("shows bull-board with the queue of units, and nothing is loaded from elsewhere", async () => {
    const board = await context.newPage();
    const asked: string[] = [];
    board.on("request", (request) => asked.push(request.url()));
    await board.goto(`${url}/queues/`);
    await board.getByText("units", { exact: true }).first().waitFor();
    await board.goto(`${url}/queues/queue/units?status=active`);
    await board.getByText("dispatch").first().waitFor();
    expect(asked.filter((each) => !each.startsWith(url))).toEqual([]);
    expect(asked.length).toBeGreaterThan(4);
    await board.close();
  });

  it("cancels it for good, when that is meant, and writes down who did", async () => {
    const { id } = await stage.run();
    await page.locator("details.sure summary").click();
    await page.locator("input[name=reason]").fill("the wrong <domain>");
    await page.getByRole("button", { name: "Cancel for good" }).click();
    await page.locator("#state .badge.cancelled").waitFor();
    expect(await text(page, "#state")).toContain("the wrong <domain> (ops, in the dashboard)");
    expect((await stage.run()).state).toBe("cancelled");
    const records = [];
    for await (const record of (await AuditLog.open(stage.client, { create: false }))?.read("shop") ?? [])
      records.push(record);
    const of = records.filter(({ command }) => command !== "domain-replay");
    expect(of.map(({ command, runId, who }) => [command, runId, who.split(" by ")[0]])).toEqual([
      ["pause-replay", id, "ops"],
      ["resume-replay", id, "ops"],
      ["cancel-replay", id, "ops"],
    ]);
    await page.goto(`${url}/audit?domain=shop`);
    expect(await text(page, "#content")).toContain("cancel-replay");
  });

  it("shows a new replay's plan before anything is begun, and every mistake in it", async () => {
    await page.goto(`${url}/new`);
    await page.getByLabel("domain").fill("shop");
    await page.getByLabel("parallel").fill("many");
    await page.getByLabel("up to sequence").fill("-1");
    await page.getByRole("button", { name: "Show the plan" }).click();
    const said = await text(page, "[role=alert]");
    expect(said).toContain("--parallel");
    expect(said).toContain("--to-seq");
    await page.getByLabel("parallel").fill("2");
    await page.getByLabel("up to sequence").fill("");
    await page.getByLabel("skip errors").fill("0");
    await page.getByLabel("target").fill("AGAIN");
    await page.getByRole("button", { name: "Show the plan" }).click();
    const plan = await text(page, ".card");
    expect(plan).toContain("6,001");
    expect(plan).toContain("domain-replay --domain=shop --target=AGAIN --parallel=2 --skip-errors=0");
    expect(await stage.ledger.listRuns()).toHaveLength(1);
  });

  it("starts it in a process of its own, which fails at the bad event and says so", async () => {
    await page.getByRole("button", { name: "Start this replay" }).click();
    await until(
      async () => (await stage.ledger.listRuns()).length === 2,
      () => `the run. ${stage.said}`,
    );
    const run = await stage.run();
    await page.goto(`${url}/runs/${run.id}`);
    await page.locator("#state .badge.failed").waitFor({ timeout: 120_000 });
    expect(await figure(page, "errors")).toBe("1");
    await page.goto(`${url}/new`);
    await until(async () => {
      await page.reload();
      return (await text(page, "#content")).includes("status 1");
    }, "the process to end");
    expect(await text(page, "#content")).toContain("ops");
  });

  it("opens a quarantined event, whatever its payload would like to be", async () => {
    await page.goto(`${url}/runs/${(await stage.run()).id}`);
    await page.locator("#quarantine .sequences a").first().click();
    await page.locator("pre").waitFor();
    expect(await text(page, "pre")).toBe(HOSTILE);
    expect(await page.evaluate("window.ran")).toBeUndefined();
    expect(await text(page, "#content")).toContain("events.shop.bad.Added");
  });

  it("takes over a run whose command was killed", async () => {
    const replay = stage.replay("--target", "LEFT");
    await until(
      async () => (await stage.ledger.listRuns()).length === 3,
      () => `the run. ${stage.said}`,
    );
    const { id, coordinator } = await stage.run();
    await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    replay.kill("SIGKILL");
    await page.goto(`${url}/runs/${id}`);
    await page.getByText("Nobody coordinates this run any more").waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Resume" }).click();
    await until(
      async () => (await stage.run()).coordinator.pid !== coordinator.pid,
      () => `another coordinator. ${stage.said}`,
    );
    await page.locator("#state .badge.failed").waitFor({ timeout: 120_000 });
    expect((await stage.run()).id).toBe(id);
  });

  it("is used with the keyboard alone", async () => {
    await page.goto(url);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.className")).toBe("skip");
    const focused = () => page.evaluate("document.activeElement.getAttribute('href')");
    await until(async () => {
      await page.keyboard.press("Tab");
      return String(await focused()).startsWith("/runs/");
    }, "a run to have the focus");
    const run = await focused();
    await page.waitForTimeout(1_500);
    // News came meanwhile; the focus is where it was.
    expect(await focused()).toBe(run);
    await page.keyboard.press("Enter");
    await page.locator("#state .badge").waitFor();
    expect(new URL(page.url()).pathname).toBe(run);
  });

  it.each([320, 390, 1280])("needs no sideways scrolling on %i pixels", async (width) => {
    await page.setViewportSize({ width, height: 800 });
    const run = await stage.run();
    for (const path of ["/", `/runs/${run.id}`, "/audit", "/new"]) {
      await page.goto(`${url}${path}`);
      expect(await page.evaluate("document.documentElement.scrollWidth"), path).toBeLessThanOrEqual(width);
    }
  });

  it("is dark in the dark", async () => {
    const colour = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    await page.emulateMedia({ colorScheme: "light" });
    expect(await colour()).toBe("rgb(246, 247, 249)");
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await colour()).toBe("rgb(18, 21, 25)");
  });

  it("loaded nothing from elsewhere, and a page with all that it needs is under 300 kB", async () => {
    expect(requests.length).toBeGreaterThan(20);
    expect(requests.filter((each) => !each.startsWith(url))).toEqual([]);
    expect(complaints.filter((words) => /Content Security Policy|Error/.test(words))).toEqual([]);
    const headers = { authorization: `Basic ${Buffer.from(`ops:${PASSWORD}`).toString("base64")}` };
    let bytes = 0;
    for (const path of [
      `/runs/${(await stage.run()).id}`,
      "/assets/live.js",
      "/assets/style.css",
      "/assets/icon.svg",
    ]) {
      bytes += (await (await fetch(`${url}${path}`, { headers })).arrayBuffer()).byteLength;
    }
    expect(bytes).toBeGreaterThan(5_000);
    expect(bytes).toBeLessThan(300_000);
  });

  it("ends when it is told to, also while pages are followed", async () => {
    await page.goto(url);
    dashboard.kill("SIGTERM");
    expect(await dashboard.exited).toBe(0);
    await until(async () => (await text(page, "#connection")).startsWith("not live"), "the page to notice");
  });
});

async function text(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).first().textContent())?.trim() ?? "";
}

async function figure(page: Page, name: string): Promise<string> {
  return (await page.locator(`#figures dt:text-is("${name}") + dd`).textContent())?.trim() ?? "";
}
