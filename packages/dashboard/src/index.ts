export { type Dashboard, type DashboardOptions, openDashboard } from "./dashboard.ts";
export { type Access, accessFor } from "./access.ts";
export type {
  DashboardPorts,
  Preview,
  ReplayForm,
  RunActions,
  RunLook,
  RunWatch,
  StartedProcess,
} from "./ports.ts";
