export { main } from "./main.ts";
export { certifier } from "./verify/certify.ts";
export { type CommandEntry, commandTable, UMBRELLA } from "./command-table.ts";
