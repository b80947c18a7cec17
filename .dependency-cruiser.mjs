import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Visitor } from "@swc/core/Visitor.js";

// Which package may import which; what is not named is forbidden. Files are checked by the rules below, manifests at once.
const mayImport = {
  core: [],
  filter: ["core"],
  projections: ["core"],
  nats: ["core"],
  queue: ["core"],
  worker: ["core", "filter", "projections", "nats", "queue"],
  coordinator: ["core", "filter", "nats", "queue"],
  verifier: ["core", "filter", "projections", "nats"],
  archive: ["core", "nats"],
  testkit: ["core", "nats", "queue"],
  dashboard: ["core", "nats", "queue"],
  cli: [
    ...["core", "filter", "projections", "nats", "queue", "worker", "coordinator", "verifier", "archive", "testkit"],
    "dashboard",
  ],
};

const TEST_FILE = "\\.(test|fixture)\\.ts$";

checkManifests();
walkUsingDeclarations();

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(mayImport).map(([name, allowed]) => direction(name, allowed)),
    onlyOneImports("nats", "(^|/)node_modules/(nats|@nats-io)/|^(nats$|@nats-io/)"),
    onlyOneImports("queue", "(^|/)node_modules/(bullmq|ioredis)/|^(bullmq|ioredis)$"),
    {
      name: "core-runs-anywhere",
      comment: "core uses no Node API.",
      severity: "error",
      from: { path: "^packages/core/", pathNot: TEST_FILE },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "by-package-name",
      comment: "Another package is imported by its name, never by a path into it.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/", pathNot: "^packages/$1/", dependencyTypes: ["local"] },
    },
    {
      name: "by-package-name-from-outside",
      severity: "error",
      from: { path: "^(test|tools)/" },
      to: { path: "^packages/", dependencyTypes: ["local"] },
    },
    {
      name: "not-own-index",
      comment: "A package's files import each other, not the list of what it shows to others.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/$1/src/index\\.ts$" },
    },
    {
      name: "no-tests-in-code",
      severity: "error",
      from: { path: "^packages/", pathNot: TEST_FILE },
      to: { path: [TEST_FILE, "^test/"] },
    },
    {
      name: "declared",
      comment: "What a package imports stands in its own package.json.",
      severity: "error",
      from: { path: "^packages/", pathNot: TEST_FILE },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // TypeScript 7 is a program of its own, without a parser that others could call. swc sees type-only imports too.
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    moduleSystems: ["es6"],
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      // Packages resolve to their sources, so that cycles and directions are seen without a build.
      conditionNames: ["source", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};

function direction(name, allowed) {
  return {
    name: `direction-${name}`,
    comment: `${name} may import ${allowed.length === 0 ? "no package of ours" : allowed.join(", ")}.`,
    severity: "error",
    from: { path: `^packages/${name}/`, pathNot: TEST_FILE },
    to: { path: "^packages/", pathNot: `^packages/(${[name, ...allowed].join("|")})/` },
  };
}

function onlyOneImports(owner, path) {
  return {
    name: `client-only-in-${owner}`,
    severity: "error",
    from: { path: "^packages/", pathNot: `^packages/${owner}/` },
    to: { path },
  };
}

/** swc parses `using` and `await using`, but its visitor, with which dependency-cruiser finds imports, stops at them. */
function walkUsingDeclarations() {
  const { visitStatement } = Visitor.prototype;
  Visitor.prototype.visitStatement = function (statement) {
    if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement);
    this.visitVariableDeclarators(statement.decls);
    return statement;
  };
}

/** Throws where a package is not in the table, or where its package.json names one of ours that it may not import. */
function checkManifests() {
  const root = new URL("packages/", import.meta.url);
  for (const name of readdirSync(root)) {
    const file = new URL(`${name}/package.json`, root);
    if (!existsSync(file)) continue;
    const allowed = mayImport[name];
    if (allowed === undefined) {
      throw new Error(`Cannot check imports: packages/${name} is not in the table. Add it to .dependency-cruiser.mjs.`);
    }
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(file, "utf8"));
    for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
      const [, ours] = /^@cim-replay\/(.+)$/.exec(dependency) ?? [];
      if (ours === undefined || allowed.includes(ours)) continue;
      throw new Error(
        `Cannot let ${name} depend on ${ours}: packages point one way only. Remove it from packages/${name}/package.json.`,
      );
    }
  }
}
