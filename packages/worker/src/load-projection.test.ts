import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "@cim-replay/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadProjection, resolveProjection } from "./load-projection.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cim-replay-projection-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function source(name: string, more = ""): string {
  return `export default { name: "${name}", initial: (id) => ({ id, events: 0 }), evolve: (s) => ({ ...s, events: s.events + 1 })${more} };\n`;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

describe("resolveProjection", () => {
  it("pins a built-in by its name, another name by another hash", async () => {
    const [graph, again, workflow] = await Promise.all(
      ["graph", "graph", "workflow"].map((name) => resolveProjection(name)),
    );
    expect(graph?.ref).toMatchObject({ name: "graph", source: "builtin", path: null });
    expect(graph?.ref).toEqual(again?.ref);
    expect(graph?.ref.sha256).not.toBe(workflow?.ref.sha256);
    expect(graph?.projection.name).toBe("graph");
  });

  it.each(["own.js", "own.mjs"])("takes a user's %s by a path relative to the directory", async (name) => {
    await file(name, source("own"));
    const { ref, projection } = await resolveProjection(`./${name}`, dir);
    expect(ref).toMatchObject({ name: "own", source: "file", path: join(dir, name) });
    expect(projection.encode(projection.initial("x"))).toBe('{"events":0,"id":"x"}');
  });

  it("takes a user's TypeScript", async () => {
    const path = await file(
      "typed.ts",
      "interface State { events: number }\n" +
        'export default { name: "typed", initial: (): State => ({ events: 0 }), evolve: (state: State): State => state };\n',
    );
    expect((await resolveProjection(path)).ref).toMatchObject({ name: "typed", path });
  });

  it.each([
    ["absent.ts", null, /Cannot read projection .*absent\.ts.*built-in: graph, workflow, aggregate/],
    ["broken.mjs", "export default {", /Cannot load projection .*broken\.mjs/],
    ["throws.mjs", 'throw new Error("no such table");', /Cannot load projection .*throws\.mjs: no such table/],
    ["async.mjs", source("a", ", async evolve() {}"), /async\.mjs as a projection: evolve is an AsyncFunction/],
    ["named.mjs", "export const projection = {};", /named\.mjs as a projection: it is missing/],
    ["empty.mjs", "export default {};", /empty\.mjs as a projection: name is missing.*initial is missing.*evolve/],
  ])("says what is wrong with %s", async (name, text, message) => {
    if (text !== null) await file(name, text);
    const failure = resolveProjection(name, dir);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(UsageError);
  });
});

describe("loadProjection", () => {
  it("refuses a file that is another than the run pinned, and takes a new one without an old module", async () => {
    const path = await file("changing.mjs", source("before"));
    const { ref } = await resolveProjection(path);
    expect((await loadProjection(ref)).name).toBe("before");
    await writeFile(path, source("after"));
    await expect(loadProjection(ref)).rejects.toThrow(/its SHA-256 is [0-9a-f]{12}…, the run pinned [0-9a-f]{12}…/);
    expect((await resolveProjection(path)).projection.name).toBe("after");
  });

  it("refuses a built-in of another version", async () => {
    const { ref } = await resolveProjection("graph");
    await expect(loadProjection({ ...ref, sha256: "00" })).rejects.toThrow(/built-in projection "graph".*another/);
    await expect(loadProjection({ ...ref, name: "gone" })).rejects.toThrow(/built-in projection "gone"/);
  });
});
