import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { domainSettingsSchema, entryKey } from "@cim-replay/core";
import { connectNats, type NatsClient } from "@cim-replay/nats";
import { uniqueName } from "@cim-replay/testkit";
import { htmlReport, parseRules, type Validation, validateDomain } from "@cim-replay/verifier";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { chromiumPath, startChromium } from "../support/chromium.ts";

const HOSTILE = [
  "<script>window.ran=1;alert(1)</script>",
  `"><img src=x onerror="window.ran=1;alert(1)">`,
  `'><svg onload=window.ran=1><a href="javascript:window.ran=1">click</a>`,
  "]]><script>window.ran=1</script>",
  "</style><script>window.ran=1</script>",
  "</title></head><body onload=window.ran=1>",
  `<link rel=stylesheet href=http://127.0.0.1:1/x.css><iframe src=http://127.0.0.1:1/></iframe>`,
  "<%= 7*7 %> <%~ it.style %> {{ 7*7 }}",
];
const RULES = `version: 1
rules:
  - name: ${JSON.stringify(HOSTILE[0])}
    description: ${JSON.stringify(HOSTILE[1])}
    condition: entry.text == 'harmless'
    message: "{{ key }} {{ id }} {{ entry.text }} ${"</li><script>window.ran=1</script>"}"
  - name: has-a-text
    description: Every entry has a text.
    condition: has(entry.text)
    message: has no text
  - name: few-entries
    scope: domain
    severity: warning
    condition: entries < 3
    message: there are {{ entries }}
`;

if (chromiumPath === null) {
  console.warn("report-in-browser is skipped: no chromium in PATH. Install one, or name it with CHROMIUM_PATH.");
}

describe.skipIf(chromiumPath === null)("a report in a browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-report-"));
  const bucket = uniqueName("HOSTILE");
  let client: NatsClient;
  let validation: Validation;
  let browser: Browser;
  let page: Page;
  const dialogs: string[] = [];
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    client = await connectNats({ url: inject("natsUrl"), name: "test" });
    validation = await validateHostile(client, bucket);
    const file = join(folder, "report.html");
    writeFileSync(file, htmlReport(validation));
    browser = await startChromium();
    page = await browser.newPage();
    page.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(pathToFileURL(file).href, { waitUntil: "networkidle" });
  });
  afterAll(async () => {
    await browser?.close();
    await client.jsm.streams.delete(`KV_${bucket}`).catch(() => false);
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("runs nothing of what entries and rules hold, and fetches nothing", async () => {
    for (const link of await page.locator("a").all()) await link.click();
    expect(await page.evaluate(() => Reflect.get(globalThis, "ran"))).toBeUndefined();
    expect(dialogs).toEqual([]);
    expect(requests.filter((url) => !url.startsWith("file:"))).toEqual([]);
    expect(requests).toHaveLength(1);
    expect(complaints).toEqual([]);
    expect(await page.locator("script, img, iframe, link, a, [onload], [onerror]").count()).toBe(0);
  });

  it("shows it all as text", async () => {
    const text = String(await page.evaluate("document.body.innerText"));
    for (const hostile of HOSTILE) expect(text).toContain(hostile);
    for (const { examples } of validation.results) {
      for (const { key, message } of examples) {
        expect(text).toContain(message.replace(/\s+/g, " "));
        if (key !== null) expect(text).toContain(key);
      }
    }
    expect(await page.title()).toBe(`shop in bucket ${bucket}: the rules do not hold`);
  });

  it("has its style in force, in light, in dark and on paper", async () => {
    const colour = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    await page.emulateMedia({ colorScheme: "light" });
    expect(await colour()).toBe("rgb(246, 247, 249)");
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await colour()).toBe("rgb(18, 21, 25)");
    await page.emulateMedia({ media: "print" });
    expect(await colour()).toBe("rgb(255, 255, 255)");
    await page.emulateMedia({ media: "screen", colorScheme: "light" });
  });

  it.each([320, 390, 1280])("needs no sideways scrolling on %i pixels", async (width) => {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  });

  it("has a policy that stops what would come through as markup", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const attacked = await browser.newPage();
    const stopped: string[] = [];
    attacked.on("console", (message) => stopped.push(message.text()));
    await attacked.goto(pathToFileURL(join(folder, "report.html")).href);
    await attacked.evaluate(`
      document.body.insertAdjacentHTML("beforeend",
        '<img src="http://127.0.0.1:${port}/x" onerror="window.ran=1"><p style="color:red">styled</p>');
      for (const to of [{ textContent: "window.ran=1" }, { src: "http://127.0.0.1:${port}/y" }]) {
        document.body.append(Object.assign(document.createElement("script"), to));
      }
    `);
    // The image, what follows from its failure, the style, and both scripts.
    await expect.poll(() => stopped.filter((text) => text.includes("Content Security Policy")).length).toBe(5);
    expect(await attacked.evaluate(() => Reflect.get(globalThis, "ran"))).toBeUndefined();
    expect(asked).toEqual([]);
    await attacked.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it("would be caught by this test if it ran anything", async () => {
    const unsafe = join(folder, "unsafe.html");
    const page2 = await browser.newPage();
    writeFileSync(
      unsafe,
      readFileSync(join(folder, "report.html"), "utf8")
        .replace(/<meta http-equiv[^>]*>/, "")
        .replace("</main>", "<script>window.ran=1</script></main>"),
    );
    await page2.goto(pathToFileURL(unsafe).href);
    expect(await page2.evaluate(() => Reflect.get(globalThis, "ran"))).toBe(1);
    await page2.close();
  });
});

/** Entries whose keys, ids and values are hostile, held to rules that are. */
async function validateHostile(client: NatsClient, bucket: string): Promise<Validation> {
  await client.jsm.streams.add({ name: `KV_${bucket}`, subjects: [`$KV.${bucket}.>`], max_msgs_per_subject: 1 });
  for (const hostile of HOSTILE) {
    await client.js.publish(`$KV.${bucket}.${entryKey("shop", hostile)}`, JSON.stringify({ text: hostile }));
  }
  // A key that is none of ours: servers and other clients take more characters than the client of this tool writes.
  await client.js.publish(`$KV.${bucket}.shop.<script>window.ran=1</script>`, JSON.stringify({ text: "key" }));
  await client.js.publish(`$KV.${bucket}.shop.broken`, "<script>window.ran=1</script>");
  return validateDomain({
    client,
    domain: "shop",
    domainSettings: domainSettingsSchema.parse({ stream: "NONE" }),
    bucket,
    rules: parseRules(RULES, `"><script>window.ran=1</script>.yaml`),
    toolVersion: "0.0.0",
    signal: new AbortController().signal,
  });
}
