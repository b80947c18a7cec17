import { LEVELS } from "@cim-replay/verifier";
import { shared } from "../commands/invoked.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { oneOf, text } from "../settings/values.ts";
import type { SettingName } from "../settings/definitions.ts";

/** Of every command that issues a certificate. */
export const verifyFlags = {
  level: callFlag(
    "--level <counts|content|full>",
    "how much is compared (default: full); see docs/certificate.md",
    oneOf(...LEVELS),
  ),
  output: callFlag("--output <file>", "writes the certificate here", text),
  signKey: callFlag("--sign-key <file>", "signs it with this Ed25519 key (PEM)", text),
  format: shared.format,
} as const;

export const verifySettings = ["target", "projection", ...connectionSettings] as const satisfies readonly SettingName[];
