/** Takes the password, and a user's token, out of every URL in a text, also where a slash should have been written otherwise. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"',]*@/gi, "$1***@");
}
