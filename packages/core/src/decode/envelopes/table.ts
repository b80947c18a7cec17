import type { DomainSettings } from "../../settings.ts";
import { readAuto } from "./auto.ts";
import { readBare } from "./bare.ts";
import { readCimEvents } from "./cim-events.ts";
import { readCimGraph } from "./cim-graph.ts";
import { readEither } from "./either.ts";
import type { ReadEnvelope } from "./envelope.ts";
import { readFlat } from "./flat.ts";
import { readInfrastructure } from "./infrastructure.ts";
import { readPerson } from "./person.ts";
import { readStored } from "./stored.ts";

export const ENVELOPES: Readonly<Record<DomainSettings["envelope"], ReadEnvelope>> = {
  flat: readFlat,
  stored: readStored,
  either: readEither,
  person: readPerson,
  infrastructure: readInfrastructure,
  "cim-events": readCimEvents,
  "cim-graph": readCimGraph,
  bare: readBare,
  auto: readAuto,
};
