import type { CommandModule } from "../command.ts";
import { checkNats } from "../doctor/check-nats.ts";
import { checkPort } from "../doctor/check-port.ts";
import { checkRedis } from "../doctor/check-redis.ts";
import { EXIT } from "../exit-status.ts";
import { doctorText } from "../output/doctor-text.ts";
import { json } from "../output/run-record.ts";
import { redisServer } from "../session.ts";
import { connectionSettings } from "../settings/flags.ts";
import { addFlags, readInvocation, shared } from "./invoked.ts";

const flags = { format: shared.format };

export const command: CommandModule = {
  configure(parser) {
    addFlags(parser, flags, [...connectionSettings, "target", "queuePrefix", "metricsPort"]);
    parser.addHelpText(
      "after",
      "\nWrites nothing. Exits with 1 where there is a problem, 3 where a server cannot be reached.",
    );
  },
  async run(invocation) {
    const { flags: given, loaded } = readInvocation(invocation, flags);
    const { queuePrefix: prefix, metricsPort } = loaded.settings;
    const [nats, redis] = await Promise.all([
      checkNats(loaded, invocation.tool),
      checkRedis({ ...redisServer(loaded.settings), prefix }),
    ]);
    const ports = typeof metricsPort === "number" && metricsPort > 0 ? [await checkPort("metrics", metricsPort)] : [];
    const findings = [...nats.findings, ...redis.findings, ...ports];
    invocation.print(given.format === "json" ? json(findings) : doctorText(findings));
    if (nats.unreachable || redis.unreachable) return EXIT.unreachable;
    return findings.some(({ verdict }) => verdict === "problem") ? EXIT.failed : EXIT.done;
  },
};
