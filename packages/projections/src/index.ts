export { builtinFor, builtinProjections } from "./builtins.ts";
