import { once } from "node:events";
import { createServer } from "node:net";
import { errorMessage } from "@cim-replay/core";
import { type Finding, ok, warning } from "./finding.ts";

/** Whether a server of ours could listen there; 0 is always free. */
export async function checkPort(what: string, port: number): Promise<Finding> {
  const about = `port ${port}`;
  const server = createServer();
  try {
    server.listen(port);
    await once(server, "listening");
    return ok(about, `free for ${what}`);
  } catch (error) {
    const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const advice = `${what} will not be served from here: give another --metrics-port, or end who has it.`;
    return warning(about, taken ? "in use" : `cannot be had (${errorMessage(error)})`, advice);
  } finally {
    server.close();
  }
}
