import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bucketProbes,
  connectNats,
  LEDGER_BUCKET,
  ledgerProbes,
  ownStreamProbes,
  PermissionDeniedError,
  readProbes,
  signalProbes,
  verifyProbes,
} from "@cim-replay/nats";
import { startNats } from "@cim-replay/testkit";
import { expect, test } from "vitest";
import { grantsOf, listText, listUrl, matches, ROLES } from "./lists.fixture.ts";

const page = readFileSync(new URL("../../../../docs/security.md", import.meta.url), "utf8");

test.each(ROLES)("the page shows the list of the %s as it is", (role) => {
  expect(page).toContain(`\`\`\`\n${listText(role)}\`\`\``);
});

test("the page's way to include a list is one that the server takes", async () => {
  const [, shown = ""] = /```\n(# nats-server\.conf\n[\s\S]*?)```/.exec(page) ?? [];
  await using stack = new AsyncDisposableStack();
  const dir = stack.adopt(mkdtempSync(join(tmpdir(), "cim-replay-lists-")), (path) =>
    rmSync(path, { recursive: true }),
  );
  cpSync(listUrl(""), join(dir, "permissions"), { recursive: true });
  const server = await startNats({ config: shown, dir });
  stack.defer(() => server.stop());
  const [, user = "", password = ""] = /user: (\S+), password: (\S+),/.exec(shown) ?? [];
  const client = await connectNats({ url: `nats://${user}:${password}@127.0.0.1:${server.port}`, name: "test" });
  stack.defer(() => client.close());
  await expect(client.jsm.streams.info("OTHER")).rejects.toThrow(/STREAM\.INFO\.OTHER/);
  await client.settle();
  expect(() => client.denials.throwIfAny("look about")).toThrow(PermissionDeniedError);
});

test("what the doctor tries is what the lists of coordinator and worker allow, and nothing else", () => {
  const grants = [...grantsOf("coordinator"), ...grantsOf("worker")];
  const probes = [
    ...[...signalProbes(), ...readProbes("EVENTS"), ...verifyProbes("EVENTS"), ...ownStreamProbes()],
    ...[...bucketProbes("CIM_PROJECTIONS", false), ...ledgerProbes(LEDGER_BUCKET, false)],
  ];
  for (const { kind, subject } of probes) {
    const isAllowed = grants.some((grant) => grant.kind === kind && matches(grant.subject, subject));
    expect(isAllowed, `${kind} ${subject}`).toBe(true);
  }
});
