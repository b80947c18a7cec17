import { bareEnvironment, type CelEnvironment } from "@cim-replay/filter";
import { EventCounts, EventTypes } from "./event-counts.ts";
import type { Scope } from "./scope.ts";

const base = bareEnvironment()
  .registerType("EventTypes", { ctor: EventTypes })
  .registerType("EventCounts", {
    ctor: EventCounts,
    fields: { total: "int", malformed: "int", types: "list<string>", by_type: "EventTypes" },
  });

const entryEnvironment = base
  .clone()
  .registerVariable("key", "string")
  .registerVariable("id", "string")
  .registerVariable("entry", "dyn")
  .registerVariable("events", "dyn")
  .registerVariable("last_seq", "dyn");
const domainEnvironment = base.clone().registerVariable("entries", "int");
const countsEnvironment = domainEnvironment
  .clone()
  .registerVariable("quarantined", "int")
  .registerVariable("events", "EventCounts");

const environments: Readonly<Record<Scope, CelEnvironment>> = {
  entry: entryEnvironment,
  domain: domainEnvironment,
  counts: countsEnvironment,
};

/** `collected`: names that the rule gathers over the entries. */
export function celEnvironment(scope: Scope, collected: readonly string[] = []): CelEnvironment {
  const environment = environments[scope].clone();
  for (const name of collected) environment.registerVariable(name, "dyn");
  return environment;
}

/** Whether rules of this scope have this name already, so that nothing collected can be called so. */
export function isNameTaken(scope: Scope, name: string): boolean {
  return environments[scope].hasVariable(name);
}
