import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { endOnSignals } from "./first-process.ts";

function firstProcess() {
  const process = new EventEmitter();
  const statuses: number[] = [];
  endOnSignals(process, (status) => statuses.push(status));
  return { process, statuses };
}

test("a signal that no command listens to ends the process with the status that a shell would tell", () => {
  const { process, statuses } = firstProcess();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.emit(signal);
  expect(statuses).toEqual([143, 130, 129]);
});

test("a command that listens decides by itself", () => {
  const { process, statuses } = firstProcess();
  process.on("SIGTERM", () => undefined);
  process.emit("SIGTERM");
  expect(statuses).toEqual([]);
});

test("the second signal ends a command that listens once", () => {
  const { process, statuses } = firstProcess();
  process.once("SIGINT", () => undefined);
  process.emit("SIGINT");
  process.emit("SIGINT");
  expect(statuses).toEqual([130]);
});
