import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { domainSettingsSchema, entryKey } from "@cim-replay/core";
import { connectNats, ensureBucket, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { htmlReport, parseRules, validateDomain } from "@cim-replay/verifier";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

const ATTACKS = [
  "<script>window.attacked = 1; alert(1)</script>",
  '"><img src=x onerror="window.attacked = 1">',
  "'><svg onload='window.attacked = 1'>",
  "javascript:window.attacked=1",
  "]]><script>window.attacked = 1</script>",
  "</style><script src=http://127.0.0.1:1/x.js></script>",
  "</title></head><body onload=window.attacked=1>",
  "<%= process.exit() %><%~ it.style %>",
  "<meta http-equiv=refresh content=0;url=http://127.0.0.1:1/>",
];
/** A key that no replay writes: NATS itself lets it through. */
const HOSTILE_KEY = `graph.<img/src=x/onerror=window["attacked"]=1//`;

const browserPath = findBrowser();
if (browserPath === null) {
  console.warn("Reports are not opened in a browser: there is no chromium. Install one, or set CHROMIUM_PATH.");
}

describe.skipIf(browserPath === null)("a report of hostile entries, in a browser", () => {
  let client: NatsClient;
  let browser: Browser;
  let folder: string;
  let url: string;

  beforeAll(async () => {
    client = await connectNats({ url: inject("natsUrl"), name: "report-in-browser" });
    folder = await mkdtemp(join(tmpdir(), "cim-replay-report-"));
    const path = join(folder, "report.html");
    await writeFile(path, await reportOfAttacks(client));
    url = pathToFileURL(path).href;
    browser = await chromium.launch({ executablePath: browserPath ?? "", args: ["--no-sandbox"] });
  });
  afterAll(async () => {
    await browser?.close();
    await client?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  /** The report, and all that it did besides showing itself. */
  async function open(options: { width?: number; colorScheme?: "light" | "dark" } = {}) {
    const { width = 1_000, colorScheme = "light" } = options;
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    const happened: string[] = [];
    page.on("dialog", (dialog) => {
      happened.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (request.url() !== url) happened.push(`request ${request.url()}`);
    });
    // What the policy had to stop is told on the console.
    page.on("console", (message) => happened.push(`console ${message.text()}`));
    page.on("pageerror", (error) => happened.push(`error ${error.message}`));
    await page.goto(url);
    return { page, happened };
  }

  const attacked = (page: Page) => page.evaluate("window.attacked");

  it("shows every text as it is, and nothing in it runs", async () => {
    const { page, happened } = await open();
    const shown = (await page.innerText("main")).replace(/\s+/g, " ");
    for (const attack of ATTACKS) {
      expect(shown).toContain(`the id is ${attack}.`);
      expect(shown).toContain(`the value is ${attack}.`);
      expect(shown).toContain(`described as ${attack}`);
      expect(shown).toContain(`rule ${attack}`);
      expect(shown).toContain(entryKey("graph", attack));
    }
    expect(shown).toContain(HOSTILE_KEY);
    expect(await page.locator("script, img, iframe, a, link, [onload], [onerror]").count()).toBe(0);
    expect(await attacked(page)).toBeUndefined();
    expect(happened).toEqual([]);
  });

  it("would not run it either if it had come through as markup", async () => {
    const { page, happened } = await open();
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await page.evaluate(`
      document.body.insertAdjacentHTML("beforeend",
        '<img src="http://127.0.0.1:${port}/x" onerror="window.attacked = 1"><p style="color: red">styled</p>');
      for (const to of [{ textContent: "window.attacked = 2" }, { src: "http://127.0.0.1:${port}/y" }]) {
        document.body.append(Object.assign(document.createElement("script"), to));
      }
    `);
    // An image, what follows from its failure, an inline style, and two scripts.
    await expect.poll(() => happened.filter((what) => what.includes("Content Security Policy")).length).toBe(5);
    expect(await attacked(page)).toBeUndefined();
    expect(asked).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it("has its style, also in the dark, and fits a phone and a sheet of paper", async () => {
    const background = (page: Page) => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const { page: light } = await open();
    const { page: dark } = await open({ colorScheme: "dark" });
    const { page: phone } = await open({ width: 320 });
    expect(await background(light)).not.toBe("rgba(0, 0, 0, 0)");
    expect(await background(dark)).not.toBe(await background(light));
    expect(await phone.evaluate("document.documentElement.scrollWidth")).toBe(320);
    await dark.emulateMedia({ media: "print" });
    expect(await background(dark)).toBe("rgb(255, 255, 255)");
  });
});

/** A report in which every text that can come from outside is an attack. */
async function reportOfAttacks(client: NatsClient): Promise<string> {
  const bucket = uniqueName("REPORT");
  await ensureBucket(client, bucket);
  const put = (key: string, value: unknown) => client.js.publish(`$KV.${bucket}.${key}`, JSON.stringify(value));
  for (const attack of ATTACKS) await put(entryKey("graph", attack), { value: attack, [attack]: attack });
  await put(HOSTILE_KEY, { value: ATTACKS[0] });
  const told = {
    name: "tells all",
    condition: "false",
    message: "the id is {{ id }}. the value is {{ entry.value }}.",
  };
  const named = ATTACKS.map((attack) => ({
    name: `rule ${attack}`,
    description: `described as ${attack}`,
    condition: "entry.missing",
    message: attack,
  }));
  const rules = parseRules(JSON.stringify({ version: 1, rules: [told, ...named] }), ATTACKS.join(" "));
  const domainSettings = domainSettingsSchema.parse({ stream: uniqueName("NONE") });
  const { signal } = new AbortController();
  return htmlReport(
    await validateDomain({ client, domain: "graph", domainSettings, bucket, rules, toolVersion: "0", signal }),
  );
}

/** `CHROMIUM_PATH`, else what is on PATH under one of its names. */
function findBrowser(): string | null {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const places = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [process.env.CHROMIUM_PATH || null, ...places].find((path) => path !== null && canRun(path)) ?? null;
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
