import { commandText } from "../services/custom.ts";
import type { Note, Notes } from "../services/notes.ts";
import type { ServiceResult } from "../services/steps.ts";
import { printable } from "./short-value.ts";
import { renderTable } from "./table.ts";

export function servicesJson(results: readonly ServiceResult[], notes: Notes): object {
  return {
    state_file: notes.path,
    services: results.map(({ service, outcome, probe, command, trouble }) => ({
      name: service.name,
      kind: service.kind,
      target: service.target,
      state: probe.state,
      detail: probe.detail,
      replicas: probe.replicas,
      outcome,
      remembered: notes.of(service.name) ?? null,
      command,
      trouble: trouble || null,
    })),
    remembered_only: notes.names().filter((name) => !results.some(({ service }) => service.name === name)),
  };
}

export function servicesText(results: readonly ServiceResult[], notes: Notes): string {
  return renderTable<ServiceResult>(
    [
      { title: "service", value: ({ service }) => service.name },
      { title: "kind", value: ({ service }) => service.kind },
      { title: "what", value: ({ service }) => service.target },
      { title: "state", value: ({ probe }) => probe.state },
      { title: "detail", value: ({ probe }) => printable(probe.detail) },
      { title: "remembered", value: ({ service }) => noteText(notes.of(service.name)) },
      { title: "outcome", value: outcomeText },
    ],
    results,
  );
}

function outcomeText({ outcome, command }: ServiceResult): string {
  if (outcome === "shown") return "";
  return command === null ? outcome : `${outcome}: ${commandText(command)}`;
}

function noteText(note: Note | undefined): string {
  if (note === undefined) return "–";
  return note.replicas === null ? "ran" : `ran with ${note.replicas} replicas`;
}

/** What went wrong and what to do, for standard error; null where nothing did. */
export function troubleText(results: readonly ServiceResult[], verb: "stop" | "start"): string | null {
  const failed = results.filter(({ outcome }) => outcome === "failed");
  const untried = results.filter(({ outcome }) => outcome === "not tried");
  const names = (some: readonly ServiceResult[]) => some.map(({ service }) => service.name).join(", ");
  if (failed.length === 0 && untried.length === 0) return null;
  const lines = failed.map(
    ({ service, probe, trouble }) =>
      `Cannot ${verb} ${service.name} (${service.target}): ${printable(trouble)}. It is ${probe.state}${probe.detail ? `: ${printable(probe.detail)}` : ""}.`,
  );
  if (untried.length > 0) lines.push(`Not tried: ${names(untried)}.`);
  const again = `run ${verb}-all-services again: it is safe, and goes on with what is left`;
  const rest = untried.length > 0 ? "; --keep-going goes past what fails" : "";
  lines.push(failed.length > 0 ? `Put right what is named above, then ${again}${rest}.` : `To go on, ${again}.`);
  return lines.join("\n");
}
