import { generateKeyPairSync } from "node:crypto";
import { UsageError } from "@cim-replay/core";
import { describe, expect, it } from "vitest";
import { type Certificate, certificateText, parseCertificate } from "./certificate.ts";
import { certificateOf } from "./certificate.fixture.ts";
import { generateSigningKeys, keyFingerprint, signCertificate, verifySignature } from "./sign.ts";

const { privateKeyPem, publicKeyPem } = generateSigningKeys();

/** Every certificate that differs from this one in one value of one field, however deep. */
function* edits(value: unknown): Generator<unknown> {
  if (typeof value === "string") yield `${value}x`;
  else if (typeof value === "number") yield value + 1;
  else if (value === null) yield "x";
  else if (typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) {
      for (const edited of edits(inner)) {
        yield Array.isArray(value) ? value.with(Number(name), edited) : { ...value, [name]: edited };
      }
    }
  }
}

describe("a signature", () => {
  const signed = signCertificate(certificateOf(), privateKeyPem);

  it("is verified with the public key, also after the certificate was written and read", () => {
    expect(signed.signature?.keyFingerprint).toBe(keyFingerprint(publicKeyPem));
    expect(keyFingerprint(privateKeyPem)).toBe(keyFingerprint(publicKeyPem));
    expect(verifySignature(parseCertificate(certificateText(signed)), publicKeyPem)).toEqual({ valid: true });
    expect(signCertificate(signed, privateKeyPem)).toEqual(signed);
  });

  it("fits no certificate that was edited in any place", () => {
    const all = [...edits(signed)] as Certificate[];
    expect(all.length).toBeGreaterThan(35);
    for (const edited of all) {
      // Base64 has room for a stray character that means nothing.
      if (edited.signature?.value !== signed.signature?.value) continue;
      const ofAnotherKind = edited.signature?.algorithm !== "Ed25519";
      expect([edited, ofAnotherKind || verifySignature(edited, publicKeyPem).valid]).toEqual([edited, ofAnotherKind]);
    }
  });

  it("of another is told from none and from one that was broken", () => {
    const other = generateSigningKeys();
    expect(verifySignature(certificateOf(), publicKeyPem)).toEqual({ valid: false, why: "it is not signed" });
    expect(verifySignature(signed, other.publicKeyPem)).toMatchObject({ valid: false, why: /^key .* signed it/ });
    const broken = { ...signed, domain: "other" };
    expect(verifySignature(broken, publicKeyPem)).toEqual({ valid: false, why: "it was changed after it was signed" });
    const forged = { ...signCertificate(certificateOf({ domain: "x" }), other.privateKeyPem) };
    const posing = { ...forged, signature: { ...forged.signature, keyFingerprint: keyFingerprint(publicKeyPem) } };
    expect(verifySignature(posing as Certificate, publicKeyPem).valid).toBe(false);
  });

  it("needs an Ed25519 key", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(() => signCertificate(certificateOf(), pem)).toThrow(/private key: it is rsa/);
    expect(() => signCertificate(certificateOf(), "nonsense")).toThrow(UsageError);
    expect(() => verifySignature(signed, "nonsense")).toThrow(UsageError);
  });
});
