/** Takes the password, and a user's token, out of every URL in a text. */
export function redactUrls(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/"',]*@/gi, "$1***@");
}
