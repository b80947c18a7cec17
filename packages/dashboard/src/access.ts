import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { UsageError } from "@cim-replay/core";

/** Who may look. */
export type Access =
  /** Whoever reaches a loopback address of this machine. */
  | { readonly kind: "open" }
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  /** A proxy in front has logged them in, and names them in a header that only it may send. */
  | { readonly kind: "header"; readonly name: string; readonly proxies: BlockList };

export interface AccessOptions {
  readonly host: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly trustHeader: string | null;
  /** Addresses or networks, `10.0.0.0/8`, that the header is believed from. */
  readonly trustProxies: readonly string[];
}

/** Throws UsageError where the dashboard would be open to a network without a login. */
export function accessFor({ host, user, password, trustHeader, trustProxies }: AccessOptions): Access {
  if (trustHeader !== null) {
    if (user !== null || password !== null) {
      throw new UsageError(
        "Cannot open the dashboard: a password and --trust-header are both given. Leave one of the two out.",
      );
    }
    if (trustProxies.length === 0) {
      throw new UsageError(
        "Cannot trust a header from just anybody: no proxy is named that logs people in. Give its address with --trust-proxy, e.g. 10.0.0.7 or 127.0.0.1.",
      );
    }
    return { kind: "header", name: trustHeader.toLowerCase(), proxies: proxyList(trustProxies) };
  }
  if (user !== null && password !== null) return { kind: "password", user, password };
  if (user !== null || password !== null) {
    throw new UsageError(
      "Cannot open the dashboard: of its login only one half is given. Give both CIM_REPLAY_DASHBOARD_USER and CIM_REPLAY_DASHBOARD_PASSWORD.",
    );
  }
  if (isLoopback(host)) return { kind: "open" };
  throw new UsageError(
    `Cannot open the dashboard on ${host}: others can reach that, and there is no login. ` +
      "Give CIM_REPLAY_DASHBOARD_USER and CIM_REPLAY_DASHBOARD_PASSWORD, or --trust-header with a proxy that logs people in, or leave --host at 127.0.0.1.",
  );
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Takes as long whatever is wrong, so that nobody can guess from the time. */
export function isSameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/** Also for IPv4 addresses as a dual-stack socket names them: `::ffff:10.0.0.1`. */
export function isListed(list: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  const version = isIP(plain);
  return version !== 0 && list.check(plain, version === 6 ? "ipv6" : "ipv4");
}

function proxyList(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = "", bits] = proxy.split("/");
    const version = isIP(address);
    const prefix = bits === undefined ? (version === 6 ? 128 : 32) : Number(bits);
    if (version === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > (version === 6 ? 128 : 32)) {
      throw new UsageError(
        `Cannot trust proxy "${proxy}": it is no address and no network. Write it like 10.0.0.7 or 10.0.0.0/8.`,
      );
    }
    list.addSubnet(address, prefix, version === 6 ? "ipv6" : "ipv4");
  }
  return list;
}
