import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { newUnitRecord, ReplayError, silentLog, UsageError } from "@cim-replay/core";
import { AuditLog, connectNats, Ledger, type NatsClient, QuarantineStore } from "@cim-replay/nats";
import { QUEUE_DEFAULTS } from "@cim-replay/queue";
import { planOf, runOf, startServerPair, type ServerPair } from "@cim-replay/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { accessFor } from "./access.ts";
import { type Dashboard, openDashboard } from "./dashboard.ts";
import type { RunActions } from "./ports.ts";

const HOSTILE = "<script>alert(1)</script>";
const RUN = `run-"${HOSTILE}`;

let servers: ServerPair;
let client: NatsClient;
let dashboard: Dashboard | null = null;
/** What was asked of the actions. */
const asked: string[] = [];

beforeAll(async () => {
  servers = await startServerPair();
  client = await connectNats({ url: servers.nats.url, name: "test" });
  const ledger = await Ledger.open(client, { create: true });
  const failed = runOf(RUN, {
    state: "failed",
    reason: `because of ${HOSTILE}`,
    createdAt: "2026-02-01T00:00:00.000Z",
  });
  const unit = { ...newUnitRecord(RUN, "u0", 1, 1), failure: { kind: "x", message: HOSTILE } };
  await ledger?.createRun(failed, planOf(RUN, { warnings: [HOSTILE] }), [unit]);
  await ledger?.createRun(runOf("plain", { state: "completed" }), planOf("plain"), []);
  const store = await QuarantineStore.open(client, { create: true });
  await store?.put({
    ...{ runId: RUN, domain: "graph", unit: "u0", stream: "EVENTS", seq: 7, subject: "s.<b>", aggregateId: HOSTILE },
    ...{ kind: "decode", reason: HOSTILE, data: Buffer.from(HOSTILE), headers: { "X-<i>": HOSTILE } },
  });
});
afterEach(async () => {
  await dashboard?.close();
  dashboard = null;
  asked.length = 0;
});
afterAll(async () => {
  await client.close();
  await servers.stop();
});

const actions: RunActions = {
  pause: async (run, who) => void asked.push(`pause ${run} by ${who}`),
  resume: async () => {
    throw new ReplayError("Cannot resume it: it has ended. Start another.");
  },
  cancel: async (run, reason, who) => void asked.push(`cancel ${run} by ${who}: ${reason}`),
  retryQuarantined: async (run, who) => void asked.push(`retry ${run} by ${who}`),
  preview: async (form) => {
    asked.push(`preview ${JSON.stringify(form)}`);
    if (form.domain === "none") throw new UsageError("Cannot plan: there is no such domain. Name another.");
    return { plan: planOf("p"), command: "domain-replay" };
  },
  start: async (form, who) => {
    asked.push(`start ${JSON.stringify(form)} by ${who}`);
    return "1";
  },
  processes: () => [],
};

async function open(access: Partial<Parameters<typeof accessFor>[0]> = {}, mayAct = true): Promise<string> {
  const none = { host: "127.0.0.1", user: null, password: null, trustHeader: null, trustProxies: [] };
  dashboard = await openDashboard({
    ...{ client, access: accessFor({ ...none, ...access }), host: "127.0.0.1", port: 0, log: silentLog },
    queue: { ...QUEUE_DEFAULTS, redisUrl: servers.redis.url },
    ports: {
      watchRun: (runId) => ({ look: () => look(runId), close: () => undefined }),
      actions: mayAct ? actions : null,
      metrics: async () => ({ contentType: "text/plain", text: "cim_replay_runs 1\n" }),
    },
  });
  return dashboard.url;
}

let looksTakeMs = 0;

async function look(runId: string) {
  await sleep(looksTakeMs);
  const ledger = await Ledger.open(client);
  const [run, plan, units] = await Promise.all([
    ledger?.getRun(runId),
    ledger?.getPlan(runId),
    ledger?.listUnits(runId),
  ]);
  if (!run || !plan) throw new ReplayError("gone");
  const figures = {
    ...{
      run: run.record,
      plan,
      slices: null,
      totalEvents: 9,
      durableEvents: 9,
      readEvents: 9,
      eventsPerSecond: 0,
      lagSeconds: null,
    },
    ...{
      etaSeconds: null,
      errors: 1,
      entriesWritten: 0,
      entriesTotal: null,
      workers: 0,
      memoryBytes: 0,
      checkpoints: 0,
      hot: null,
    },
  };
  return { figures, units: (units ?? []).map(({ record }) => record), isAbandoned: run.record.state === "running" };
}

/** As a browser sends a form of the dashboard's own page. */
async function post(url: string, path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(`${url}${path}`, {
    ...{ method: "POST", body: new URLSearchParams(fields), redirect: "manual" },
    headers: { "sec-fetch-site": "same-origin", ...headers },
  });
}

async function csrfOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const page = await (await fetch(`${url}/new`, { headers })).text();
  return /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? "";
}

const RUN_PATH = `/runs/${encodeURIComponent(RUN)}`;

describe("pages", () => {
  test.each(["/", RUN_PATH, `${RUN_PATH}/quarantine/7`, "/audit?domain=%3Cscript%3E", "/?domain=%22%3E%3Cscript%3E"])(
    "escape whatever runs and events hold: %s",
    async (path) => {
      const response = await fetch(`${await open()}${path}`);
      expect(response.status).toBe(200);
      const page = await response.text();
      expect(page).not.toContain("<script>");
      expect(page.match(/<script/g)?.length ?? 0).toBeLessThanOrEqual(1);
      expect(page).not.toMatch(/<(b|i)>/);
    },
  );

  test("of a run hold its failure, its warning, its quarantine and its actions", async () => {
    const page = await (await fetch(`${await open()}${RUN_PATH}`)).text();
    for (const part of [
      "because of &lt;script&gt;",
      "Resume",
      "Cancel for good",
      "Retry quarantined events",
      "/quarantine/7",
    ]) {
      expect(page).toContain(part);
    }
  });

  test("can be filtered", async () => {
    const url = await open();
    const shown = async (query: string) =>
      [...(await (await fetch(`${url}/${query}`)).text()).matchAll(/data-key/g)].length;
    const all = await shown("");
    expect(all).toBeGreaterThan(1);
    expect(await shown("?state=failed")).toBe(1);
    expect(await shown("?state=&domain=graph")).toBe(all);
    expect(await shown("?domain=other")).toBe(0);
    expect(await shown("?page=2")).toBe(0);
    expect(await shown("?page=x")).toBe(all);
  });

  test.each([
    "/runs/none",
    "/runs/none/certificate",
    `${RUN_PATH}/quarantine/8`,
    `${RUN_PATH}/quarantine/x`,
    "/nothing",
  ])("that are not there are 404: %s", async (path) => {
    const response = await fetch(`${await open()}${path}`, { headers: { accept: "text/html" } });
    expect(response.status).toBe(404);
    expect(await response.text()).toContain("Cannot find that");
  });

  test("allow a browser nothing but what they bring", async () => {
    const url = await open();
    const policy = (await fetch(url)).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    const queues = await fetch(`${url}/queues/`);
    expect(await queues.text()).not.toMatch(/https?:\/\//);
    expect(queues.headers.get("content-security-policy")).toContain("script-src 'self';");
  });

  test("are sent on as they change, to those who follow them", async () => {
    const url = await open();
    const leave = new AbortController();
    const response = await fetch(url, { headers: { accept: "text/event-stream" }, signal: leave.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let received = "";
    const ledger = await Ledger.open(client);
    for await (const chunk of response.body ?? []) {
      received += Buffer.from(chunk).toString();
      if (received.includes('"id":"runs"') && !received.includes("cancelled")) {
        await ledger?.changeRun("plain", (run) => ({ ...run, state: "cancelled" }));
      }
      if (received.includes("badge cancelled")) break;
    }
    leave.abort();
    await ledger?.changeRun("plain", (run) => ({ ...run, state: "completed" }));
    // The form above the list did not change but for the state, and was not sent with every tick.
    expect(received.match(/"id":"filter"/g)?.length).toBeLessThanOrEqual(2);
  });
});

describe("following a page", () => {
  test("ends with those who leave while it is made, and is not begun by HEAD", async () => {
    looksTakeMs = 150;
    const url = await open();
    const headers = { accept: "text/event-stream" };
    for (let i = 0; i < 110; i++) {
      const leave = new AbortController();
      const left = fetch(`${url}${RUN_PATH}`, { headers, signal: leave.signal }).catch(() => null);
      setTimeout(() => leave.abort(), 20);
      await left;
    }
    expect((await fetch(`${url}${RUN_PATH}`, { method: "HEAD", headers })).status).toBe(200);
    await sleep(300);
    const stay = new AbortController();
    const response = await fetch(`${url}${RUN_PATH}`, { headers, signal: stay.signal });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    stay.abort();
    looksTakeMs = 0;
  });
});

describe("what cannot be read", () => {
  test("is said in its place, and the rest of the page is there", async () => {
    await AuditLog.open(client, { create: true });
    await client.js.publish("_CIM_REPLAY.audit.graph", '{"version":2}');
    const url = await open();
    const page = await (await fetch(`${url}${RUN_PATH}`)).text();
    expect(page).toContain("Cannot read audit record 1");
    expect(page).toContain("/quarantine/7");
    expect(page).toContain("because of &lt;script&gt;");
  });

  test("of one run is no trouble of the others", async () => {
    const ledger = await Ledger.open(client);
    await ledger?.createRun(runOf("odd", { state: "running" }), planOf("odd"), []);
    await client.jsm.streams.purge("KV_CIM_REPLAY", { filter: "$KV.CIM_REPLAY.plan.odd" });
    const url = await open();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await (await fetch(url)).text()).not.toContain("may be old");
    expect(await (await fetch(`${url}/runs/odd`)).text()).toContain("gone What is shown may be old.");
    await ledger?.changeRun("odd", (run) => ({ ...run, state: "cancelled" }));
  });
});

test("a run that nobody coordinates any more can be resumed, and says why", async () => {
  const ledger = await Ledger.open(client);
  await ledger?.createRun(runOf("left", { state: "running" }), planOf("left"), []);
  const page = await (await fetch(`${await open()}/runs/left`)).text();
  expect(page).toContain("Nobody coordinates this run any more");
  expect(page).toContain("/runs/left/resume");
  expect(page).not.toContain("/runs/left/pause");
  await ledger?.changeRun("left", (run) => ({ ...run, state: "cancelled" }));
});

describe("actions", () => {
  test("are done for whoever is logged in", async () => {
    const url = await open();
    const csrf = await csrfOf(url);
    const response = await post(url, `${RUN_PATH}/pause`, { csrf });
    expect([response.status, response.headers.get("location")]).toEqual([303, RUN_PATH]);
    await post(url, `${RUN_PATH}/cancel`, { csrf, reason: " it is wrong " });
    await post(url, `${RUN_PATH}/retry`, { csrf });
    const who = "whoever is at this machine";
    expect(asked).toEqual([`pause ${RUN} by ${who}`, `cancel ${RUN} by ${who}: it is wrong`, `retry ${RUN} by ${who}`]);
  });

  test("that cannot be done say why", async () => {
    const url = await open();
    const response = await post(url, `${RUN_PATH}/resume`, { csrf: await csrfOf(url) }, { accept: "text/html" });
    expect(response.status).toBe(409);
    expect(await response.text()).toContain("Cannot resume it: it has ended.");
  });

  test("take from a form what it asks for, and nothing else", async () => {
    const url = await open();
    const csrf = await csrfOf(url);
    await post(url, "/new/preview", { csrf, domain: " graph ", "to-seq": "", "log-file": "/etc/passwd" });
    await post(url, "/new/start", { csrf, domain: "graph", config: "x" });
    expect(asked).toEqual(['preview {"domain":"graph"}', 'start {"domain":"graph"} by whoever is at this machine']);
    const mistake = await post(url, "/new/preview", { csrf, domain: "none" });
    expect(mistake.status).toBe(422);
    const page = await mistake.text();
    expect(page).toContain("there is no such domain");
    expect(page).toContain('value="none"');
  });

  test("are refused without the form's token, with another viewer's, and from other sites", async () => {
    const url = await open({ trustHeader: "x-user", trustProxies: ["127.0.0.1"] });
    const as = (name: string) => ({ "x-user": name });
    const csrf = await csrfOf(url, as("alice"));
    const status = async (fields: Record<string, string>, headers: Record<string, string>) =>
      (await post(url, `${RUN_PATH}/pause`, fields, headers)).status;
    expect(await status({}, as("alice"))).toBe(403);
    expect(await status({ csrf: `${csrf}x` }, as("alice"))).toBe(403);
    expect(await status({ csrf }, as("mallory"))).toBe(403);
    expect(await status({ csrf }, { ...as("alice"), "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await status({ csrf }, { ...as("alice"), "sec-fetch-site": "same-site" })).toBe(403);
    expect(asked).toEqual([]);
    expect(await status({ csrf }, as("alice"))).toBe(303);
    expect(asked).toEqual([`pause ${RUN} by alice`]);
  });

  test("of browsers that do not say the site need the same origin", async () => {
    const url = await open();
    const csrf = await csrfOf(url);
    const withOrigin = (origin?: string) =>
      raw(url, {
        method: "POST",
        path: `${RUN_PATH}/pause`,
        body: `csrf=${encodeURIComponent(csrf)}`,
        ...(origin && { origin }),
      });
    expect(await withOrigin()).toBe(403);
    expect(await withOrigin("http://evil.example")).toBe(403);
    expect(await withOrigin("null")).toBe(403);
    expect(await withOrigin(url)).toBe(303);
  });

  test("are not there where they are not allowed, bull-board's neither", async () => {
    const url = await open({}, false);
    expect(await (await fetch(`${url}${RUN_PATH}`)).text()).not.toContain('<form method="post"');
    expect(await (await fetch(url)).text()).toContain("read-only");
    expect((await post(url, `${RUN_PATH}/pause`, {})).status).toBe(403);
    const clean = await fetch(`${url}/queues/api/queues/units/clean/failed`, {
      method: "PUT",
      headers: { "sec-fetch-site": "same-origin" },
    });
    expect(clean.status).toBe(403);
    expect((await fetch(`${url}/new`)).status).toBe(404);
  });

  test("of bull-board are refused from other sites", async () => {
    const url = await open();
    const pause = (site: string) =>
      fetch(`${url}/queues/api/queues/units/pause`, { method: "PUT", headers: { "sec-fetch-site": site } });
    expect((await pause("cross-site")).status).toBe(403);
    expect((await pause("same-origin")).status).toBe(200);
    const resume = { method: "PUT", headers: { "sec-fetch-site": "same-origin" } };
    expect((await fetch(`${url}/queues/api/queues/units/resume`, resume)).status).toBe(200);
  });
});

describe("letting people in", () => {
  test("without a login, only by this machine's own names", async () => {
    const url = await open();
    for (const [host, status] of [
      ["localhost", 200],
      ["127.0.0.1:9", 200],
      ["[::1]:9", 200],
      ["evil.example", 403],
      ["127.0.0.1.evil.example:80", 403],
    ] as const) {
      expect(await raw(url, { path: "/", host }), host).toBe(status);
    }
  });

  test("by a proxy's header, from that proxy alone", async () => {
    const trusted = await open({ trustHeader: "x-user", trustProxies: ["127.0.0.0/8"] });
    expect((await fetch(trusted, { headers: { "x-user": "alice" } })).status).toBe(200);
    expect((await fetch(trusted)).status).toBe(401);
    await dashboard?.close();
    const foreign = await open({ trustHeader: "x-user", trustProxies: ["10.0.0.0/8"] });
    expect((await fetch(foreign, { headers: { "x-user": "alice" } })).status).toBe(403);
  });

  test("tells a browser how to log in", async () => {
    const url = await open({ user: "ops", password: "é ü" });
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get("www-authenticate")?.startsWith("Basic")]).toEqual([401, true]);
    const authorization = `Basic ${Buffer.from("ops:é ü").toString("base64")}`;
    expect((await fetch(url, { headers: { authorization } })).status).toBe(200);
  });

  test("says nothing of the inside in an error", async () => {
    const url = await open();
    for (const path of ["/%ff", "/runs/%zz", "/queues/api/queues/none/completed/1"]) {
      expect(await (await fetch(`${url}${path}`)).text(), path).not.toMatch(/node_modules|\bat \S+:\d+/);
    }
  });
});

test("a port that is in use is a clear error", async () => {
  const port = Number(new URL(await open()).port);
  const none = { host: "127.0.0.1", user: null, password: null, trustHeader: null, trustProxies: [] };
  const second = openDashboard({
    ...{ client, access: accessFor(none), host: "127.0.0.1", port, log: silentLog },
    queue: { ...QUEUE_DEFAULTS, redisUrl: servers.redis.url },
    ports: {
      watchRun: () => ({ look: () => look(RUN), close: () => undefined }),
      actions: null,
      metrics: async () => ({ contentType: "", text: "" }),
    },
  });
  await expect(second).rejects.toThrow(
    `Cannot open the dashboard on 127.0.0.1, port ${port}: it is in use. Give another --port.`,
  );
});

/** Sends headers that `fetch` keeps to itself; the status of the answer. */
function raw(
  url: string,
  options: { path: string; method?: string; body?: string; host?: string; origin?: string },
): Promise<number> {
  const { path, method = "GET", body, host, origin } = options;
  const headers = {
    ...(host && { host }),
    ...(origin && { origin }),
    ...(body && { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers, agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
