/** Why a text is no NATS subject with wildcards; null where it is one. */
export function subjectProblem(pattern: string): string | null {
  const tokens = pattern.split(".");
  if (tokens.some((token) => token === "")) return "an empty token";
  if (/\s/.test(pattern)) return "white space";
  if (tokens.slice(0, -1).includes(">")) return "a > before its end";
  const isMixed = tokens.some((token) => token.length > 1 && /[*>]/.test(token));
  return isMixed ? "a wildcard that is not a whole token" : null;
}

/** Whether a subject matches as the server would match it: `*` is one token, `>` at the end one or more. */
export function subjectMatcher(pattern: string): (subject: string) => boolean {
  const wanted = pattern.split(".");
  const isOpen = wanted.at(-1) === ">";
  const fixed = isOpen ? wanted.slice(0, -1) : wanted;
  return (subject) => {
    const tokens = subject.split(".");
    if (isOpen ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
    return fixed.every((token, i) => token === "*" || token === tokens[i]);
  };
}
