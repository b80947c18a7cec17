export { requireBucket } from "./entries-source.ts";
export { type CertifyOptions, certifyRun } from "./certify-run.ts";
export { verifyAggregate, verifyDomain, type VerifyDomainOptions } from "./verify-domain.ts";
export type { VerifyProgress } from "./scene.ts";
export { lastCompletedRun, loadRun, type RunEvidence } from "./run-evidence.ts";
export {
  type Certificate,
  certificateSchema,
  certificateText,
  type Level,
  LEVELS,
  parseCertificate,
  planSha256,
  type TargetPart,
  targetParts,
} from "./certificate.ts";
export type { IndexCount } from "./witness.ts";
export type { Check, Discrepancy } from "./discrepancies.ts";
export {
  assertSigningKey,
  generateSigningKeys,
  keyFingerprint,
  type SignatureVerdict,
  signCertificate,
  verifySignature,
} from "./sign.ts";
export { type DomainToValidate, validateDomain } from "./rules/validate-domain.ts";
export { builtinRules } from "./rules/builtin-rules.ts";
export { readRulesFile } from "./rules/read-rules-file.ts";
export { parseRules } from "./rules/parse-rules.ts";
export type { RuleSet } from "./rules/rule.ts";
export type { RuleResult, Validation } from "./rules/validation.ts";
export { htmlReport } from "./report/html-report.ts";
export { junitReport } from "./report/junit-report.ts";
export { validationJson } from "./report/json-report.ts";
export {
  outcomeInWords,
  resultInWords,
  verdictInWords,
  writtenMeanwhileInWords,
} from "./report/words.ts";
export { type ChecksumsSource, takeChecksums } from "./checksums.ts";
export { type Checksums, checksumsText, readChecksums } from "./checksums-file.ts";
export { checksumsHold, type ChecksumsVerdict, verifyChecksums } from "./checksums-compare.ts";
export { countProjected, type ProjectedCounts } from "./count-projected.ts";
export { countProjectedTypes, type TypeCount } from "./count-projected-types.ts";
export { diffProjections, type KeysOfKind, type ProjectionDiff } from "./diff-projections.ts";
export { type PathChange, pathText } from "./diff-value.ts";
export { checkDeterminism, type DeterminismCheck, type ImpureUse, type Parting } from "./determinism.ts";
export { sampleAggregates } from "./determinism-sample.ts";
export { type EventChange, type StateAt, stateAt, type StateAtTask } from "./state-at.ts";
export { type TriedFold, tryFold } from "./try-fold.ts";
