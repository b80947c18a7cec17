import type { Progress } from "@cim-replay/coordinator";
import { progressArea, progressLine } from "./progress-lines.ts";
import { type Style, styleFor } from "./style.ts";

const REDRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;

/** Standard error, for people: one live area on a terminal, else a line by and by; notes go above the area. */
export interface Screen {
  readonly style: Style;
  progress(progress: Progress): void;
  note(line: string): void;
  /** Leaves what is shown and forgets it: what follows starts afresh. */
  end(): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

export async function createScreen(stream: NodeJS.WriteStream, env: Environment): Promise<Screen> {
  return stream.isTTY === true && env.TERM !== "dumb" ? liveScreen(stream, env) : lineScreen(stream, env);
}

async function liveScreen(stream: NodeJS.WriteStream, env: Environment): Promise<Screen> {
  const { createLogUpdate } = await import("log-update");
  const style = styleFor(stream, env);
  const area = createLogUpdate(stream, { showCursor: true });
  let startedAt: number | null = null;
  let drawnAt = 0;
  let latest: Progress | null = null;
  const draw = () => {
    if (!latest || startedAt === null) return;
    drawnAt = performance.now();
    area(progressArea(latest, drawnAt - startedAt, stream.columns, style).join("\n"));
  };
  return {
    style,
    progress(progress) {
      latest = progress;
      startedAt ??= performance.now();
      if (performance.now() - drawnAt >= REDRAW_EVERY_MS) draw();
    },
    note(line) {
      if (latest) area.clear();
      stream.write(`${line}\n`);
      draw();
    },
    end() {
      if (!latest) return;
      draw();
      area.done();
      latest = null;
      startedAt = null;
    },
  };
}

function lineScreen(stream: NodeJS.WriteStream, env: Environment): Screen {
  let writtenAt: number | null = null;
  let waiting: Progress | null = null;
  return {
    style: styleFor(stream, env),
    progress(progress) {
      const now = performance.now();
      waiting = progress;
      if (writtenAt !== null && now - writtenAt < LINE_EVERY_MS) return;
      writtenAt = now;
      waiting = null;
      stream.write(`${progressLine(progress)}\n`);
    },
    note(line) {
      stream.write(`${line}\n`);
    },
    end() {
      if (waiting) stream.write(`${progressLine(waiting)}\n`);
      waiting = null;
      writtenAt = null;
    },
  };
}
