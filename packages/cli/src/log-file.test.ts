import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "@cim-replay/core";
import { expect, test } from "vitest";
import { openLog } from "./log.ts";

const LINES = 20_000;

/** Logs as fast as it can, a hundred lines between two looks at its signals. */
const script = (file: string) => `
import { openLog } from "${new URL("./log.ts", import.meta.url).href}";
const { log, close } = openLog({ logLevel: "silent", logFile: ${JSON.stringify(file)} }, "tool", () => {});
process.send("ready");
for (let line = 0; line < ${LINES}; line++) {
  log.info({ line }, "said at nats://ann:s3cret@host");
  if (line % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
close();
process.disconnect();
`;

test("a log that is moved away at SIGHUP goes on in a new file: whole lines in each, none lost, none twice", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-log-"));
  const file = join(folder, "tool.log");
  const flags = ["--conditions=source", "--input-type=module", "--eval", script(file)];
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  await once(child, "message");
  for (let rotation = 1; rotation <= 3; rotation++) {
    await expect.poll(() => readFileSync(file, "utf8").length, { timeout: 20_000 }).toBeGreaterThan(0);
    renameSync(file, join(folder, `tool.log.${rotation}`));
    child.kill("SIGHUP");
    await expect.poll(() => readdirSync(folder), { timeout: 20_000 }).toContain("tool.log");
  }
  expect(await exited).toEqual([0, null]);
  const files = ["tool.log.1", "tool.log.2", "tool.log.3", "tool.log"].map((name) =>
    readFileSync(join(folder, name), "utf8"),
  );
  for (const text of files) expect(text).toMatch(/\}\n$/);
  const lines = files.join("").trimEnd().split("\n");
  expect(lines.map((line): number => JSON.parse(line).line)).toEqual(Array.from({ length: LINES }, (_, i) => i));
  expect(files.join("")).not.toContain("s3cret");
});

test("a log in a folder that is not there is refused, and the folder named", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "cim-replay-log-")), "none");
  const open = () => openLog({ logLevel: "silent", logFile: join(folder, "tool.log") }, "tool", () => undefined);
  expect(open).toThrow(UsageError);
  expect(open).toThrow(`there is no folder ${folder}. Make it, or name another file.`);
});

test("a log that cannot be opened again goes on in the old file, and says so", () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-log-"));
  const moved = `${folder}.moved`;
  const said: string[] = [];
  const { log, close } = openLog({ logLevel: "silent", logFile: join(folder, "l") }, "tool", (line) => said.push(line));
  renameSync(folder, moved);
  process.emit("SIGHUP", "SIGHUP");
  log.info({}, "still here");
  close();
  expect(said.join()).toMatch(/^Cannot open the log .* again: .*The old file goes on/);
  expect(readFileSync(join(moved, "l"), "utf8")).toContain("still here");
});
