export { main } from "./main.ts";
export { type CommandEntry, commandTable, UMBRELLA } from "./command-table.ts";
