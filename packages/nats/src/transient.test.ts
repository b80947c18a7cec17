import { PermissionViolationError, RequestError, TimeoutError } from "nats";
import { expect, it } from "vitest";
import { isTransient } from "./transient.ts";

it("tells no answer, which may come yet, from a refusal, which stays one, also where both are the same kind of error", () => {
  const refused = new PermissionViolationError("Permissions Violation", "publish", "$JS.API.INFO");
  expect(isTransient(new TimeoutError())).toBe(true);
  expect(isTransient(new RequestError("no answer"))).toBe(true);
  expect(isTransient(new RequestError("refused", { cause: refused }))).toBe(false);
  expect(isTransient(new Error("something else"))).toBe(false);
});
