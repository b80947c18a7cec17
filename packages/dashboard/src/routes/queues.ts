import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import type { QueueForInspection } from "@cim-replay/queue";
import type { FastifyInstance } from "fastify";

const BASE = "/queues";

/** bull-board over the queue of work units. Its buttons are there only where actions are allowed. */
export async function addQueues(app: FastifyInstance, inspected: QueueForInspection, canAct: boolean): Promise<void> {
  const { queue } = inspected;
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(BASE);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: !canAct, description: "Work units; the ledger is the truth" })],
    serverAdapter,
    options: { uiConfig: { boardTitle: "cim-replay", hideRedisDetails: true } },
  });
  await app.register(
    async (scope) => {
      scope.addHook("preHandler", async () => inspected.requireReady());
      scope.addHook("onSend", async (_request, reply, payload: unknown) => {
        const isPage = String(reply.getHeader("content-type") ?? "").startsWith("text/html");
        return isPage && typeof payload === "string" ? withoutForeignLinks(payload) : payload;
      });
      await scope.register(serverAdapter.registerPlugin());
    },
    { prefix: BASE },
  );
}

/** Its page asks for fonts from elsewhere: nothing here does. */
function withoutForeignLinks(page: string): string {
  return page.replace(/<link\b[^>]*\bhref="https?:[^>]*>\s*/g, "");
}
