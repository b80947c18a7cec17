import { readFile } from "node:fs/promises";
import { errorMessage, UsageError } from "@cim-replay/core";
import { assertSigningKey, type Certificate, certificateText, signCertificate } from "@cim-replay/verifier";
import type { Invocation } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { verificationText } from "../output/verification-text.ts";
import { checkWritable, writeWholeFile } from "../output/write-whole-file.ts";

export interface DeliveryFlags {
  readonly output: string | undefined;
  readonly signKey: string | undefined;
  readonly format: "text" | "json" | undefined;
}

/** Signs, writes and prints certificates as the flags ask for. */
export interface Delivery {
  signed(certificate: Certificate): Certificate;
  /** Gives the exit status. */
  deliver(certificate: Certificate): Promise<number>;
}

/** Whatever would stop a certificate from being delivered is found before the work. Throws UsageError. */
export async function openDelivery(invocation: Invocation, flags: DeliveryFlags): Promise<Delivery> {
  const { output, signKey, format } = flags;
  const keyPem = signKey === undefined ? null : await readKeyFile(signKey);
  if (keyPem !== null) assertSigningKey(keyPem);
  if (output !== undefined) await checkWritable(output);
  const signed = (certificate: Certificate) => (keyPem === null ? certificate : signCertificate(certificate, keyPem));
  return {
    signed,
    async deliver(unsigned) {
      const certificate = signed(unsigned);
      if (output !== undefined) {
        await writeWholeFile(output, certificateText(certificate));
        invocation.screen.note(`The certificate is in ${output}.`);
      }
      invocation.print(format === "json" ? json(certificate) : verificationText(certificate));
      return statusOf(certificate);
    },
  };
}

function statusOf({ verdict }: Certificate): number {
  return verdict === "holds" ? EXIT.done : EXIT.failed;
}

/** Nothing compared with nothing holds, and is what a mistyped name looks like. Throws UsageError. */
export function assertNotEmpty({ domain, aggregateId, bucket, stream, checks, expired }: Certificate): void {
  const { entries, due } = checks.readBack.evidence;
  if (aggregateId !== null && entries === 1 && due === 0 && !expired) {
    throw new UsageError(
      `Cannot verify aggregate ${aggregateId} alone: bucket ${bucket} has an entry of it, and no subject of stream ${stream.name} names it. ` +
        "Its id may stand in envelopes only: `verify-domain` reads those, and says whether no event accounts for the entry.",
    );
  }
  if (entries !== 0 || due !== 0) return;
  const what = aggregateId === null ? domain : `aggregate ${aggregateId} of ${domain}`;
  throw new UsageError(
    `Cannot verify ${what}: stream ${stream.name} has no event of it, and bucket ${bucket} no entry. Check the name.`,
  );
}

export async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`Cannot read key ${path}: ${errorMessage(error)}. Name a file with an Ed25519 key in PEM.`);
  }
}
