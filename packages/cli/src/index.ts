export { main } from "./main.ts";
export { certifier } from "./verify/certify.ts";
export { type CommandEntry, UMBRELLA } from "./command.ts";
export { commandTable } from "./command-table.ts";
