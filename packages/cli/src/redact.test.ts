import { expect, test } from "vitest";
import { redactUrls } from "./redact.ts";

test("takes passwords, tokens and user names out of all URLs of a text", () => {
  const text =
    'at nats://me:s3cr@t@one:4222,nats://tok@two:4222, tls://me:s/l@sh@five, and {"url":"redis://:pw@three"}, not nats://four:4222';
  expect(redactUrls(text)).toBe(
    'at nats://***@one:4222,nats://***@two:4222, tls://***@five, and {"url":"redis://***@three"}, not nats://four:4222',
  );
});
