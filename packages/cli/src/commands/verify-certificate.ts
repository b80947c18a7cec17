import { readFile } from "node:fs/promises";
import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import { parseCertificate, verifySignature } from "@cim-replay/verifier";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { verificationText } from "../output/verification-text.ts";
import { callFlag } from "../settings/flags.ts";
import { text } from "../settings/values.ts";
import { readKeyFile } from "../verify/deliver.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = {
  publicKey: callFlag("--public-key <file>", "the signer's Ed25519 public key (PEM)", text),
  format: shared.format,
};

export const command: CommandModule = {
  configure(parser) {
    parser.argument("<file>", "a certificate, as --output wrote it");
    addFlags(parser, flags, []);
  },
  async run(invocation) {
    const { flags: given } = readInvocation(invocation, flags);
    const [path] = invocation.args;
    if (path === undefined) throw new UsageError("Cannot check a certificate: none is named. Give its file.");
    if (given.publicKey === undefined) {
      throw new UsageError(
        "Cannot check a certificate: whose signature it should bear is not said. Give the signer's --public-key.",
      );
    }
    const certificate = parseCertificate(await readCertificateFile(path));
    const signature = verifySignature(certificate, await readKeyFile(given.publicKey));
    if (given.format === "json") invocation.print(json({ signature, certificate }));
    else invocation.print(verificationText(certificate));
    if (!signature.valid) {
      throw new ReplayError(`Cannot trust certificate ${path}: ${signature.why}. Ask its issuer for the genuine one.`);
    }
    invocation.screen.note(`The signature is genuine (key ${certificate.signature?.keyFingerprint.slice(0, 16)}).`);
    return certificate.verdict === "holds" ? EXIT.done : EXIT.failed;
  },
};

async function readCertificateFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`Cannot read certificate ${path}: ${errorMessage(error)}. Check the file's name.`);
  }
}
