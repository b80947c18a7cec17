export const SCOPES = ["entry", "domain", "counts"] as const;
export type Scope = (typeof SCOPES)[number];

/** Only errors make a validation fail. */
export const SEVERITIES = ["error", "warning", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];
