import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { canonicalJson, errorMessage, UsageError } from "@cim-replay/core";
import type { Certificate } from "./certificate.ts";

/** A new Ed25519 pair: PKCS #8 and SPKI, both PEM, as OpenSSL reads and writes them. */
export function generateSigningKeys(): { privateKeyPem: string; publicKeyPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/** The certificate with a signature in place of any that it had. Throws UsageError where the key is no Ed25519 key. */
export function signCertificate(certificate: Certificate, privateKeyPem: string): Certificate {
  const privateKey = readKey(privateKeyPem, "private", createPrivateKey);
  const keyFingerprint = fingerprintOf(createPublicKey(privateKey));
  const value = sign(null, signedBytes(certificate), privateKey).toString("base64");
  return { ...certificate, signature: { algorithm: "Ed25519", keyFingerprint, value } };
}

/** Throws UsageError where `signCertificate` would. */
export function assertSigningKey(privateKeyPem: string): void {
  readKey(privateKeyPem, "private", createPrivateKey);
}

export type SignatureVerdict = { readonly valid: true } | { readonly valid: false; readonly why: string };

/** Whether the holder of this key has signed exactly this certificate. Throws UsageError where the key is none. */
export function verifySignature(certificate: Certificate, publicKeyPem: string): SignatureVerdict {
  const publicKey = readKey(publicKeyPem, "public", createPublicKey);
  const { signature } = certificate;
  if (!signature) return { valid: false, why: "it is not signed" };
  const fingerprint = fingerprintOf(publicKey);
  if (signature.keyFingerprint !== fingerprint) {
    return { valid: false, why: `key ${short(signature.keyFingerprint)} signed it, and this is ${short(fingerprint)}` };
  }
  const isGenuine = verify(null, signedBytes(certificate), publicKey, Buffer.from(signature.value, "base64"));
  return isGenuine ? { valid: true } : { valid: false, why: "it was changed after it was signed" };
}

/** SHA-256 of the public key (of the pair, where a private one is given) in SPKI DER, hex. */
export function keyFingerprint(pem: string): string {
  return fingerprintOf(readKey(pem, "public", createPublicKey));
}

function signedBytes({ signature: _, ...rest }: Certificate): Buffer {
  return Buffer.from(canonicalJson(rest));
}

function fingerprintOf(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

function readKey(pem: string, what: string, read: (pem: string) => KeyObject): KeyObject {
  let why = "it is of another kind";
  try {
    const key = read(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
    why = `it is ${key.asymmetricKeyType}`;
  } catch (error) {
    why = errorMessage(error);
  }
  throw new UsageError(
    `Cannot use the ${what} key: ${why}. Give an Ed25519 key in PEM, as \`openssl genpkey -algorithm ed25519\` makes.`,
  );
}

function short(fingerprint: string): string {
  return fingerprint.slice(0, 16);
}
