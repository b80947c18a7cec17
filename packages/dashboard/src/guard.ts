import { createHmac, randomBytes } from "node:crypto";
import basicAuth from "@fastify/basic-auth";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Access, isListed, isLoopback, isSameSecret } from "./access.ts";
import type { Viewer } from "./pages/page.ts";

declare module "fastify" {
  interface FastifyRequest {
    viewer: Viewer | null;
  }
}

/** What a refusal is: its status, and words for people. */
export class Refusal extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.name = "Refusal";
    this.statusCode = statusCode;
  }
}

const OPEN_PATHS = new Set(["/healthz", "/readyz"]);
const READING = new Set(["GET", "HEAD"]);

const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/** bull-board styles itself as it goes, and has its own base. It asks for fonts from elsewhere and does not get them. */
const QUEUE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

/** Who is let in, and what a browser is held to: before any route. */
export async function guard(app: FastifyInstance, access: Access, canAct: boolean): Promise<void> {
  const key = randomBytes(32);
  const viewerOf = (name: string): Viewer => ({
    name,
    canAct,
    csrfToken: createHmac("sha256", key).update(name).digest("base64url"),
  });
  app.decorateRequest("viewer", null);
  await app.register(basicAuth, {
    authenticate: { realm: "cim-replay", header: "authorization" },
    validate: async (user, password) => {
      const isKnown =
        access.kind === "password" && isSameSecret(user, access.user) && isSameSecret(password, access.password);
      if (!isKnown) throw new Refusal(401, "Cannot let you in: user or password is wrong.");
    },
  });

  app.addHook("onRequest", async (request, reply) => {
    if (OPEN_PATHS.has(request.url)) return;
    if (access.kind === "open") {
      checkHost(request);
      request.viewer = viewerOf("whoever is at this machine");
    } else if (access.kind === "header") {
      request.viewer = viewerOf(userFromProxy(request, access));
    } else {
      await basicLogin(app, request, reply);
      request.viewer = viewerOf(access.user);
    }
    if (READING.has(request.method)) return;
    if (!canAct) throw new Refusal(403, "Cannot do that: this dashboard is read-only. Start it with --allow-actions.");
    checkOrigin(request);
  });

  app.addHook("onSend", async (request, reply) => {
    reply.header("content-security-policy", isQueuePath(request.url) ? QUEUE_POLICY : PAGE_POLICY);
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "same-origin");
    reply.header("cross-origin-opener-policy", "same-origin");
    reply.header("cross-origin-resource-policy", "same-origin");
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
  });
}

function isQueuePath(url: string): boolean {
  return url === "/queues" || url.startsWith("/queues/");
}

export function viewerOfRequest({ viewer }: FastifyRequest): Viewer {
  if (viewer === null) throw new Refusal(401, "Cannot show that: nobody is logged in.");
  return viewer;
}

/** Every form carries the token of whom it was shown to. */
export function checkCsrf(request: FastifyRequest, given: string | undefined): void {
  if (given !== undefined && isSameSecret(given, viewerOfRequest(request).csrfToken)) return;
  throw new Refusal(403, "Cannot do that: the form is not from this dashboard, or older than it. Load the page again.");
}

function basicLogin(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return new Promise((resolve, reject) => {
    app.basicAuth(request, reply, (error) => (error ? reject(error) : resolve()));
  });
}

function userFromProxy(request: FastifyRequest, { name, proxies }: Extract<Access, { kind: "header" }>): string {
  if (!isListed(proxies, request.socket.remoteAddress ?? "")) {
    throw new Refusal(403, "Cannot let you in: this address is none of the proxies that log people in.");
  }
  const user = request.headers[name];
  if (typeof user === "string" && user !== "") return user;
  throw new Refusal(401, `Cannot let you in: the proxy names nobody in ${name}.`);
}

/** A page elsewhere may have its own name lead to this machine: then the browser says that name. */
function checkHost({ headers: { host = "" } }: FastifyRequest): void {
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (isLoopback(name)) return;
  throw new Refusal(403, "Cannot let you in under this name: without a login only 127.0.0.1 and localhost will do.");
}

/** A request that changes something comes from a page of ours, and browsers say where from. */
function checkOrigin({ headers }: FastifyRequest): void {
  const site = headers["sec-fetch-site"];
  const origin = typeof headers.origin === "string" ? URL.parse(headers.origin)?.host : undefined;
  const isOurs = site === undefined ? origin !== undefined && origin === headers.host : site === "same-origin";
  if (!isOurs) throw new Refusal(403, "Cannot do that: the request comes from another site.");
}
