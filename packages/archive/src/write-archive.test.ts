import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { openArchive } from "./read-archive.ts";
import { writeArchive } from "./write-archive.ts";

const writerUrl = new URL("./write-archive.ts", import.meta.url).href;

test("a backup that is killed between two chunks leaves the old archive, and nothing that is taken for a new one or stays for ever", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cim-replay-killed-"));
  const file = join(folder, "a.tar.gz");
  writeFileSync(file, "the old one");
  const script = `
    import { setTimeout as sleep } from "node:timers/promises";
    import { randomBytes } from "node:crypto";
    import { writeArchive } from ${JSON.stringify(writerUrl)};
    async function* chunks() {
      yield { path: "entries/000001.jsonl", body: randomBytes(2_000_000), records: 1 };
      await sleep(200);
      process.kill(process.pid, "SIGKILL");
      await sleep(60_000);
    }
    await writeArchive(${JSON.stringify(file)}, { describe: () => ({ domains: [] }), chunks: chunks() });`;
  const flags = ["--conditions=source", "--input-type=module", "--eval", script];
  expect(spawnSync(process.execPath, flags, { timeout: 30_000 }).signal).toBe("SIGKILL");
  const left = readdirSync(folder).filter((name) => name !== "a.tar.gz");
  expect(left).toEqual([expect.stringMatching(/^a\.tar\.gz\.[-\w]+-\d+-[0-9a-f]{12}\.new$/)]);
  await expect(openArchive(join(folder, String(left[0])))).rejects.toThrow(/its seal is missing|no archive/);
  await expect(openArchive(file)).rejects.toThrow(/no archive \(11 bytes\)/);
  const killed = String(left[0]);
  const ofTheLiving = killed.replace(/-\d+-(?=[0-9a-f]{12}\.new$)/, `-${process.pid}-`);
  const others = [killed.replace("a.tar.gz.", "a.tar.gz.elsewhere"), ofTheLiving];
  for (const name of [...others, killed.replace("a.tar.gz", "b.tar.gz")]) writeFileSync(join(folder, name), "");
  await writeArchive(file, { describe: () => ({}), chunks: Readable.from([]) });
  expect(readdirSync(folder).sort()).toEqual(["a.tar.gz", ...others].sort());
  rmSync(folder, { recursive: true });
});
