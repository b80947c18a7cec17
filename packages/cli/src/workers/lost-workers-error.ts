import { ReplayError } from "@cim-replay/core";

/** Local workers ended time and again, so the run was given a rest. */
export class LostWorkersError extends ReplayError {
  override readonly name = "LostWorkersError";
}
