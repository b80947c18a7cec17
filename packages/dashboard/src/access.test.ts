import { describe, expect, test } from "vitest";
import { accessFor, type AccessOptions, isListed, isSameSecret } from "./access.ts";

const none: AccessOptions = { host: "127.0.0.1", user: null, password: null, trustHeader: null, trustProxies: [] };

describe("who may look", () => {
  test.each(["127.0.0.1", "127.9.9.9", "::1", "localhost"])("is everybody at %s", (host) => {
    expect(accessFor({ ...none, host })).toEqual({ kind: "open" });
  });

  test.each(["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com"])(
    "is nobody without a login at %s",
    (host) => {
      expect(() => accessFor({ ...none, host })).toThrow(`Cannot open the dashboard on ${host}`);
    },
  );

  test("needs both halves of a login, and one way of logging in", () => {
    expect(() => accessFor({ ...none, user: "ops" })).toThrow("only one half");
    expect(() => accessFor({ ...none, password: "x" })).toThrow("only one half");
    const both = { ...none, user: "ops", password: "x", trustHeader: "X-User", trustProxies: ["::1"] };
    expect(() => accessFor(both)).toThrow("are both given");
  });

  test("is whom a listed proxy names, IPv4 and IPv6", () => {
    const access = accessFor({
      ...none,
      trustHeader: "X-User",
      trustProxies: ["10.1.0.0/16", "fd00::/8", "192.0.2.1"],
    });
    if (access.kind !== "header") throw new Error("another kind");
    expect(access.name).toBe("x-user");
    for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "192.0.2.1"]) {
      expect(isListed(access.proxies, address), address).toBe(true);
    }
    for (const address of ["10.2.0.1", "fe80::1", "192.0.2.2", "nonsense"]) {
      expect(isListed(access.proxies, address), address).toBe(false);
    }
  });

  test("is nobody where a header is to be trusted and no proxy is named", () => {
    expect(() => accessFor({ ...none, trustHeader: "X-User" })).toThrow("Give its address with --trust-proxy");
  });

  test.each(["10.0.0.0/33", "proxy", "::1/200", "10.0.0.0/x"])("is refused for proxy %s", (proxy) => {
    expect(() => accessFor({ ...none, trustHeader: "X-User", trustProxies: [proxy] })).toThrow("Cannot trust proxy");
  });
});

test("a secret is the same only where all of it is", () => {
  expect(isSameSecret("secret", "secret")).toBe(true);
  for (const other of ["", "secre", "secret ", "Secret"]) expect(isSameSecret(other, "secret")).toBe(false);
});
