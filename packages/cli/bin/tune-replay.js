#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Loading is most of a short command's time; compiled code is kept between them.
enableCompileCache();
const { main } = await import("../dist/main.js");
await main("tune-replay");
