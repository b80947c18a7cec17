// Serves the tarballs of a folder as a package registry would, to an install that has no network.
//   node registry.mjs FOLDER COMMAND ARGS…   runs the command with --registry=URL behind its arguments
import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { basename, join } from "node:path";

const [folder, command, ...args] = process.argv.slice(2);

const server = createServer((request, response) => {
  // /@scope/name/-/name-1.0.0.tgz is the file @scope+name-1.0.0.tgz, /name/-/name-1.0.0.tgz is name-1.0.0.tgz.
  const [name, tarball] = decodeURIComponent(new URL(request.url, "http://localhost").pathname.slice(1)).split("/-/");
  const scope = name.includes("/") ? `${name.split("/")[0]}+` : "";
  const file = join(folder, `${scope}${basename(tarball ?? "")}`);
  if (tarball === undefined || !existsSync(file)) {
    console.error(`no ${request.url}: pnpm-lock.yaml does not name it for this system`);
    response.writeHead(404).end();
    return;
  }
  createReadStream(file).pipe(response);
});

server.listen(0, "127.0.0.1", () => {
  const registry = `http://127.0.0.1:${server.address().port}/`;
  const child = spawn(command, [...args, `--registry=${registry}`], { stdio: "inherit" });
  child.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  child.on("exit", (status) => process.exit(status ?? 1));
});
