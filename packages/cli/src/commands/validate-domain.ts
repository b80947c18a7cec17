import { type DomainSettings, domainSettingsSchema, UsageError } from "@cim-replay/core";
import { builtinFor } from "@cim-replay/projections";
import {
  builtinRules,
  htmlReport,
  junitReport,
  type RuleSet,
  readRulesFile,
  type Validation,
  validateDomain,
  validationJson,
} from "@cim-replay/verifier";
import { noteUnfinishedRestore } from "../archives/unfinished-restore.ts";
import type { CommandModule } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { json } from "../output/run-record.ts";
import { toolVersion } from "../output/tool-version.ts";
import { validationText } from "../output/validation-text.ts";
import { checkWritable, writeWholeFile } from "../output/write-whole-file.ts";
import { projectionNamedFor } from "../replay/named-projections.ts";
import { bucketOf } from "../settings/bucket-names.ts";
import { withNats } from "../session.ts";
import { callFlag, connectionSettings } from "../settings/flags.ts";
import { oneOf, text } from "../settings/values.ts";
import { addFlags, readInvocation } from "./invoked.ts";

const flags = {
  domain: callFlag("--domain <name>", "domain whose entries are validated", text),
  rules: callFlag("--rules <file>", "rules in YAML (default: the built-in ones of the domain's projection)", text),
  report: callFlag("--report <file>", "writes a report as one HTML page", text),
  format: callFlag(
    "--format <text|json|junit>",
    "of the output (default: text); junit is XML for CI systems",
    oneOf("text", "json", "junit"),
  ),
};

export const command: CommandModule = {
  configure: (parser) => addFlags(parser, flags, ["target", ...connectionSettings]),
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { domain, report, format } = given;
    if (domain === undefined) throw new UsageError("Cannot validate: no domain is named. Give --domain.");
    const domainSettings = loaded.domains.get(domain) ?? domainSettingsSchema.parse({});
    const bucket = bucketOf(loaded.settings.target);
    const rules = await rulesFor({ domain, bucket, settings: domainSettings }, given.rules);
    if (report !== undefined) await checkWritable(report);
    const validation = await withNats(loaded.settings, invocation.tool, async (client) => {
      await noteUnfinishedRestore(client, bucket, invocation.screen);
      const signal = new AbortController().signal;
      return validateDomain({ client, domain, domainSettings, bucket, rules, toolVersion: toolVersion(), signal });
    });
    if (report !== undefined) {
      await writeWholeFile(report, htmlReport(validation));
      invocation.screen.note(`The report is in ${report}.`);
    }
    invocation.print(RENDERERS[format ?? "text"](validation));
    return validation.verdict === "holds" ? EXIT.done : EXIT.failed;
  },
};

const RENDERERS = {
  text: validationText,
  json: (validation: Validation) => json(validationJson(validation)),
  junit: junitReport,
};

/** Those in the file, else those that fit the values that the domain's projection writes. */
async function rulesFor(
  { domain, bucket, settings }: { domain: string; bucket: string; settings: DomainSettings },
  file: string | undefined,
): Promise<RuleSet> {
  if (file !== undefined) return readRulesFile(file);
  const projection = projectionNamedFor(bucket, null, settings) ?? builtinFor(domain).name;
  const rules = builtinRules(projection);
  if (rules) return rules;
  throw new UsageError(
    `Cannot validate ${domain}: its projection is ${projection}, for whose values there are no built-in rules. Give --rules.`,
  );
}
