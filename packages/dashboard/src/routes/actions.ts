import { errorMessage, ReplayError, UsageError } from "@cim-replay/core";
import formBody from "@fastify/formbody";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { checkCsrf, viewerOfRequest } from "../guard.ts";
import type { LivePages } from "../live.ts";
import { newReplayPage, REPLAY_FIELDS, type NewReplay } from "../pages/new-replay-page.ts";
import { documentOf } from "../pages/page.ts";
import type { ReplayForm, RunActions } from "../ports.ts";
import { show } from "./show.ts";

const formSchema = z.record(
  z.string(),
  z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (Array.isArray(value) ? (value.at(-1) ?? "") : value)),
);
const runParams = z.object({ run: z.string() });

/** What can be done. Every form is sent by POST, carries its viewer's token, and leads back to a page. */
export async function addActions(app: FastifyInstance, live: LivePages, actions: RunActions): Promise<void> {
  await app.register(formBody);

  const runAction = (name: string, act: (runId: string, who: string, form: ReplayForm) => Promise<void>) => {
    app.post(`/runs/:run/${name}`, async (request, reply) => {
      const { run } = runParams.parse(request.params);
      const form = readForm(request);
      await act(run, viewerOfRequest(request).name, form);
      return reply.redirect(`/runs/${encodeURIComponent(run)}`, 303);
    });
  };
  runAction("pause", (run, who) => actions.pause(run, who));
  runAction("resume", (run, who) => actions.resume(run, who));
  runAction("retry", (run, who) => actions.retryQuarantined(run, who));
  runAction("cancel", (run, who, { reason }) =>
    actions.cancel(run, reason?.trim() || "Cancelled in the dashboard.", who),
  );

  show(app, live, "/new", async (_request, viewer) =>
    newReplayPage({ form: {}, mistake: null, preview: null, processes: actions.processes() }, viewer),
  );

  app.post("/new/preview", async (request, reply) => {
    const form = replayFields(readForm(request));
    try {
      return sendForm(request, reply, { form, mistake: null, preview: await actions.preview(form) }, actions);
    } catch (error) {
      return sendMistake(request, reply, form, error, actions);
    }
  });

  app.post("/new/start", async (request, reply) => {
    const form = replayFields(readForm(request));
    try {
      await actions.start(form, viewerOfRequest(request).name);
    } catch (error) {
      return sendMistake(request, reply, form, error, actions);
    }
    return reply.redirect("/new", 303);
  });
}

function readForm(request: FastifyRequest): ReplayForm {
  const form = formSchema.safeParse(request.body ?? {}).data ?? {};
  checkCsrf(request, form.csrf);
  return form;
}

/** Nothing but what the form asks for reaches a command. */
function replayFields(form: ReplayForm): ReplayForm {
  const names = REPLAY_FIELDS.map(({ name }) => [name, (form[name] ?? "").trim()] as const);
  return Object.fromEntries(names.filter(([, value]) => value !== ""));
}

type Answer = Omit<NewReplay, "processes">;

function sendForm(request: FastifyRequest, reply: FastifyReply, answer: Answer, actions: RunActions): FastifyReply {
  const viewer = viewerOfRequest(request);
  const page = newReplayPage({ ...answer, processes: actions.processes() }, viewer);
  return reply.type("text/html; charset=utf-8").send(documentOf(page, viewer, "/new").text);
}

/** A mistake in the form is shown above it, with all that was filled in. */
function sendMistake(
  request: FastifyRequest,
  reply: FastifyReply,
  form: ReplayForm,
  error: unknown,
  actions: RunActions,
): FastifyReply {
  if (!(error instanceof ReplayError)) throw error;
  void reply.code(error instanceof UsageError ? 422 : 409);
  return sendForm(request, reply, { form, mistake: errorMessage(error), preview: null }, actions);
}
